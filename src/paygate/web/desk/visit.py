"""Visits of the desk: who asks, what their form says, and the verbs under their name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from paygate.web.amounts import read_amount
from paygate.web.desk.problems import ProblemsError
from paygate.web.desk.views import english
from paygate.web.pages.views import Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import date

    from paygate.domain.money import Money
    from paygate.web.desk.staff import Staff
    from paygate.web.form_keys import FormKeys, ShownForm
    from paygate.web.languages import Language
    from paygate.web.pages.visits import AnyCashier, Visit
    from paygate.web.settings import WebSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskVisit:
    """
    A request of somebody who is signed in.

    - *staff* is who asks. *cashier* records them as the actor; await its verbs by `run`.
    - *root* is the path of the desk, *path* that of the page below it, and *params* its parts.
    - *query* are the parameters of the address. *typed* are the fields of the form that was sent,
      *form* its id and version; *problems* say what is wrong with it.
    - *limits* are the amounts, by currency, above which a second person approves.
    """

    visit: Visit
    staff: Staff
    cashier: AnyCashier
    keys: FormKeys
    root: str
    runs: Callable[..., Awaitable[Any]]
    typed: Mapping[str, str]
    reader: Language
    form: ShownForm | None = None
    problems: Sequence[Problem] = ()
    limits: Mapping[str, Money]

    @property
    def web(self) -> WebSettings:
        """The settings of the pages."""
        return self.visit.web

    @property
    def path(self) -> str:
        """The path of the page below the desk."""
        return str(self.visit.request.url.path).removeprefix(self.root)

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
        """The date in the zone of the pages."""
        return self.web.local_date(self.cashier.now())

    def at(self, path: str) -> str:
        """Return the address of a page of the desk."""
        return f"{self.root}{path}"

    async def run(self, verb: Callable[..., Any], /, *args: Any, **more: Any) -> Any:
        """Return what a verb of the `cashier` returns, whichever face it has."""
        return await self.runs(self.visit, verb, *args, **more)

    def begin(self, version: str = "") -> str:
        """Return the token of a form on this page, about something in this *version*."""
        return self.keys.begin(self.session, self.path, self.cashier.now(), version)

    @property
    def session(self) -> str:
        """What forms are bound to: the session, and who has it."""
        return f"{self.staff.session}\0{self.staff.id}"

    def with_(self, **changes: Any) -> DeskVisit:
        """Return this visit with some facts replaced."""
        return replace(self, **changes)

    # --- What was typed ---

    def given(self, name: str) -> str:
        """Return a field as it was typed, without surrounding spaces."""
        return self.typed.get(name, "").strip()

    def required(self, name: str, message: str) -> str:
        """Return a field, or raise `ProblemsError` with *message* if it is empty."""
        found = self.given(name)
        if not found:
            raise ProblemsError(Problem(name, english(message)))
        return found

    def amount(self, name: str, currency: str) -> Money | None:
        """Return the amount in a field, None if it is empty; raise `ProblemsError`."""
        typed = self.given(name)
        if not typed:
            return None
        found = read_amount(typed, currency, self.reader)
        if found is None:
            raise ProblemsError(
                Problem(name, english("Enter an amount such as {example}", example="12.50"))
            )
        return found
