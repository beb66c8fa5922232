"""The reception of the desk: who is signed in, what they may do, and how a page is answered.

A form counts if it comes from the desk's own origin, was shown to this session on this page within
a day, and its sender has the role. Whatever a verb refuses is shown on the page of the form, in the
words of the engine, with what was typed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from paygate.domain.origin import origin_of
from paygate.errors import (
    InvalidValue,
    PaygateError,
    Refused,
    StoreError,
    UsageError,
)
from paygate.web.calling import call
from paygate.web.desk.problems import ProblemsError
from paygate.web.desk.rendering import STYLES, desk_html
from paygate.web.desk.staff import Staff
from paygate.web.desk.views import DeskView, Go, Note, english
from paygate.web.desk.visit import DeskVisit
from paygate.web.form_keys import FormKeys, FormNotValidError
from paygate.web.languages import FALLBACK, language
from paygate.web.pages.headers import PagePolicy, page_headers
from paygate.web.pages.scripts import page_script
from paygate.web.pages.views import Problem
from paygate.web.pages.visits import NotThereError, Reception, Site, see_other
from paygate.web.settings import WebSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from paygate.domain.money import Money
    from paygate.web.desk.pages import DeskPage, Done
    from paygate.web.pages.visits import AnyCashier, SettingsOf, Visit
    from paygate.web.texts import Text

PURPOSE: Final = "form of the desk"

_CHECK_AND_SEND: Final = english(
    "This form is too old, or was not opened here. Nothing was done. Check it and send it again."
)
_SAID: Final = "said"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskRules:
    """What the host decides about its desk; see `paygate.web.desk.desk`."""

    staff_of: Callable[[Request], Any]
    sign_in_url: str
    url: str
    limits: Mapping[str, Money]
    pages: Sequence[DeskPage]


class DeskReception(Reception):
    """Answers the requests of the desk."""

    def __init__(
        self, cashier: AnyCashier, web: WebSettings | SettingsOf, rules: DeskRules
    ) -> None:
        super().__init__(cashier, web)
        self._rules = rules
        self._keys: dict[str, tuple[WebSettings, FormKeys]] = {}
        if isinstance(web, WebSettings):
            require_keys(web)

    def endpoint(self, page: DeskPage) -> Callable[[Request], Awaitable[Response]]:
        """Return what answers the requests for *page*."""

        async def answer(request: Request) -> Response:
            return await self._served(request, lambda visit: self._answer(visit, page))

        return answer

    @override
    def _make_site(self, web: WebSettings) -> Site:
        return Site.of(web, STYLES)

    async def _answer(self, visit: Visit, page: DeskPage) -> Response:
        staff = await self._staff(visit)
        posted = visit.request.method == "POST"
        if staff is None:
            return self._signed_out(visit, posted=posted)
        found = self._at_desk(visit, staff)
        if not staff.role.includes(page.act_needs if posted else page.needs):
            return self._refused_role(found)
        try:
            if posted and page.act is not None:
                return await self._take(found, page, page.act)
            return await self._show(found, page)
        except UsageError:
            # What is not valid, or not in this ledger, was in the address.
            raise NotThereError from None

    async def _take(
        self, found: DeskVisit, page: DeskPage, act: Callable[[DeskVisit], Awaitable[Done]]
    ) -> Response:
        """Do what a form asks for; or show it again, with what is wrong with it."""
        typed = await self._fields(found.visit)
        sent = found.with_(typed=typed)
        own = found.visit.request.headers.get("origin") == self._origin(found.web)
        try:
            if not own:
                raise FormNotValidError  # noqa: TRY301  (one answer for both)
            form = sent.keys.read(
                typed.get("token", ""), sent.session, sent.path, sent.cashier.now()
            )
            done = await act(sent.with_(form=form))
        except FormNotValidError:
            problems = (Problem("form", _CHECK_AND_SEND),)
            return await self._show(sent.with_(problems=problems), page, status=403)
        except ProblemsError as wrong:
            return await self._show(sent.with_(problems=wrong.problems), page, status=422)
        except StoreError:
            raise
        except (Refused, UsageError) as refused:
            problems = (_problem(refused, typed),)
            return await self._show(sent.with_(problems=problems), page, status=422)
        return see_other(done.to if done.said is None else _with_said(found, done.to, done.said))

    async def _show(self, found: DeskVisit, page: DeskPage, *, status: int = 200) -> Response:
        view = await page.show(found)
        if isinstance(view, str):
            return see_other(view)
        return self._sent(found, view, status=status)

    def _sent(self, found: DeskVisit, view: DeskView, *, status: int = 200) -> Response:
        said = _said(found)
        blocks = view.blocks if said is None else (Note(said, "good"), *view.blocks)
        menu = [
            (Go(english(each.menu), found.at(each.path)), found.path == each.path)
            for each in self._rules.pages
            if each.menu and found.staff.role.includes(each.needs)
        ]
        shown = DeskView(view.title, tuple(blocks))
        return self._document(found.visit, shown, staff=found.staff, menu=menu, status=status)

    def _document(
        self,
        visit: Visit,
        view: DeskView,
        *,
        staff: Staff | None = None,
        menu: Sequence[tuple[Go, bool]] = (),
        status: int = 200,
    ) -> Response:
        from starlette.responses import HTMLResponse

        renderer = visit.site.renderer
        reader = language(FALLBACK, visit.web.zone)
        html = desk_html(renderer, view, reader, staff=staff, menu=menu)
        policy = PagePolicy(
            style_digest=renderer.style_digest,
            scripts=[f"{visit.web.root}/{page_script().name}"],
        )
        return HTMLResponse(html, status, headers=page_headers(policy))

    async def _staff(self, visit: Visit) -> Staff | None:
        """Return who is signed in; raise `NotThereError` for the desk of another tenant."""
        try:
            staff = await call(self._page_threads(), self._rules.staff_of, visit.request)
        except LookupError:
            raise NotThereError from None
        if staff is None:
            return None
        if not isinstance(staff, Staff):
            raise InvalidValue(
                "staff_of must return Staff(id=…, role=…, session=…), or None", argument="staff_of"
            )
        if staff.tenant != visit.cashier.tenant:
            raise NotThereError
        return staff

    def _at_desk(self, visit: Visit, staff: Staff) -> DeskVisit:
        root = str(visit.request.scope.get("root_path", ""))
        if self._cashier.serves_all:
            root = f"{root}/{visit.cashier.tenant}"
        return DeskVisit(
            visit=visit,
            staff=staff,
            cashier=visit.cashier.acting_as(staff.id),
            keys=self._form_keys(visit),
            root=root,
            runs=self._run,
            typed={},
            reader=language(FALLBACK, visit.web.zone),
            limits=self._rules.limits,
        )

    def _form_keys(self, visit: Visit) -> FormKeys:
        tenant = visit.cashier.tenant
        web, keys = self._keys.get(tenant, (None, None))
        if keys is None or web != visit.web:
            require_keys(visit.web)
            keys = FormKeys.of(visit.web, PURPOSE, tenant)
            self._keys[tenant] = (visit.web, keys)
        return keys

    def _origin(self, web: WebSettings) -> str:
        return origin_of(self._rules.url) if self._rules.url else web.origin

    # --- Pages without anybody ---

    def _signed_out(self, visit: Visit, *, posted: bool) -> Response:
        if self._rules.sign_in_url and not posted:
            return see_other(self._rules.sign_in_url)
        to_sign_in = self._rules.sign_in_url
        links = [Go(english("Sign in"), to_sign_in)] if to_sign_in else []
        view = DeskView(
            english("You were signed out"), [Note(english("Nothing was done."), "doubt", links)]
        )
        return self._document(visit, view, status=401)

    def _refused_role(self, found: DeskVisit) -> Response:
        note = english("Your role is {role}. Nothing was done.", role=found.staff.role.value)
        view = DeskView(english("You may not do this"), [Note(note, "bad")])
        return self._sent(found, view, status=403)

    @override
    def _missing(self, visit: Visit) -> Response:
        note = english("It is not in this ledger, or the address was mistyped.")
        return self._document(visit, DeskView(english("Not found"), [Note(note)]), status=404)

    @override
    def _later(self, visit: Visit, status: int) -> Response:
        note = english("Look at the payment before you repeat what you did.")
        view = DeskView(english("Please try again in a moment"), [Note(note, "doubt")])
        response = self._document(visit, view, status=status)
        response.headers["retry-after"] = "60"
        return response


def require_keys(web: WebSettings) -> None:
    """Raise `InvalidValue` for settings without keys."""
    if not web.keys:
        raise InvalidValue(
            "forms of people who are signed in are signed with keys, but the settings of the pages "
            "have none; pass WebSettings(keys=[…])",
            argument="web",
        )


def _problem(refused: PaygateError, typed: Mapping[str, str]) -> Problem:
    """Return the refusal of a verb, at the field of its argument if the form has it."""
    argument = str(refused.facts.get("argument") or "")
    field = argument if argument in typed else "form"
    return Problem(field, english("{why}", why=refused.message))


def _with_said(found: DeskVisit, to: str, said: Text) -> str:
    """Return the address *to* with a sentence for the next page, signed so that it is ours."""
    sealed = found.keys.seal({"text": found.reader.plain(said)}, found.session)
    return f"{to}{'&' if '?' in to else '?'}{_SAID}={sealed}"


def _said(found: DeskVisit) -> Text | None:
    """Return the sentence in the address of the page, if it is ours and for this session."""
    try:
        sealed = found.keys.open(found.query.get(_SAID, ""), found.session)
    except FormNotValidError:
        return None
    return english("{said}", said=str(sealed.get("text", "")))
