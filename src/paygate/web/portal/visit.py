"""Visits of the portal: which member asks, what their form says, and the verbs as that customer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from paygate.web.form_keys import FormNotValidError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import date

    from paygate.domain.customer import Customer
    from paygate.service.account import GatewayAccount
    from paygate.web.form_keys import FormKeys, ShownForm
    from paygate.web.languages import Language
    from paygate.web.pages.views import Problem
    from paygate.web.pages.visits import AnyCashier, Visit
    from paygate.web.portal.member import Member
    from paygate.web.settings import WebSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalVisit:
    """
    A request of a member.

    *root* is the address of the portal, with its origin. *accounts* are the gateway accounts, and
    *known* is what the ledger knows about the customer. *version* names the text of mandates.
    *fields* are those of the form that was sent, in order, and *form* its id and version;
    *problems* say what is wrong with it.
    """

    visit: Visit
    member: Member
    cashier: AnyCashier
    keys: FormKeys
    root: str
    runs: Callable[..., Awaitable[Any]]
    reader: Language
    accounts: Mapping[str, GatewayAccount]
    known: Customer | None
    version: str = ""
    fields: Sequence[tuple[str, str]] = ()
    form: ShownForm | None = None
    problems: Sequence[Problem] = field(default_factory=tuple)

    @property
    def web(self) -> WebSettings:
        """The settings of the pages."""
        return self.visit.web

    @property
    def params(self) -> Mapping[str, str]:
        """The parts of the path that have names."""
        return self.visit.request.path_params

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters of the address."""
        return self.visit.request.query_params

    @property
    def today(self) -> date:
        """The date in the zone of the reader."""
        return self.reader.local_date(self.cashier.now())

    @property
    def form_id(self) -> str:
        """The id of the form that was sent and checked: what it asks for is done once."""
        if self.form is None:
            raise FormNotValidError
        return self.form.id

    def at(self, path: str) -> str:
        """Return the address of a page of the portal."""
        return f"{self.root}{path}"

    async def run(self, verb: Callable[..., Any], /, *args: Any, **more: Any) -> Any:
        """Return what a verb of the `cashier` returns, whichever face it has."""
        return await self.runs(self.visit, verb, *args, **more)

    def begin(self, page: str, version: str = "") -> str:
        """Return the token of a form of *page*, about something in this *version*."""
        return self.keys.begin(self.session, page, self.cashier.now(), version)

    @property
    def session(self) -> str:
        """What forms are bound to: the session, and who has it."""
        return f"{self.member.session}\0{self.member.customer}"

    def with_(self, **changes: Any) -> PortalVisit:
        """Return this visit with some facts replaced."""
        return replace(self, **changes)

    def given(self, name: str) -> str:
        """Return a field as it was sent, the last one of its name."""
        return dict(self.fields).get(name, "").strip()

    def all_given(self, name: str) -> list[str]:
        """Return all fields of a name."""
        return [value for each, value in self.fields if each == name]
