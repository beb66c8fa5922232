"""The reception of the portal: which member asks, and how a page is answered.

The host's session decides who somebody is. A form counts if it comes from the portal's own origin
and was shown to this session on this page within a day. Whatever belongs to another customer is
not found, just as what does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from paygate.domain.origin import origin_of
from paygate.errors import InvalidValue, UsageError
from paygate.web.bodies import read_pairs
from paygate.web.calling import call
from paygate.web.form_keys import FormKeys, FormNotValidError
from paygate.web.pages.headers import COMMON, PagePolicy, page_headers
from paygate.web.pages.scripts import page_script
from paygate.web.pages.views import Link, Post, Problem, ReceiptView
from paygate.web.pages.visits import (
    FORM_BYTES_MAX,
    NotThereError,
    Reception,
    Site,
    plain_headers,
    see_other,
)
from paygate.web.portal.fragments import Fragment, scoped
from paygate.web.portal.member import Member
from paygate.web.portal.rendering import STYLES, portal_html
from paygate.web.portal.serving import GoTo, NotDoneError
from paygate.web.portal.views import Notice
from paygate.web.portal.visit import PortalVisit
from paygate.web.settings import WebSettings
from paygate.web.texts import text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from paygate.web.languages import Language
    from paygate.web.pages.visits import AnyCashier, SettingsOf, Visit
    from paygate.web.portal.serving import Acts, PortalRoute
    from paygate.web.portal.views import PortalView

PURPOSE: Final = "form of the portal"
CHECK_AND_SEND: Final = text("Nothing was done yet. Please check it and send it again.")
_SECONDS_MAX: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalRules:
    """What the host decides about its portal; see `paygate.web.portal.portal`."""

    customer_of: Callable[[Request], Any]
    sign_in_url: str
    sign_out_url: str
    url: str
    render: Callable[[Request, Fragment], Any] | None
    mandate_version: str


class PortalReception(Reception):
    """Answers the requests of the portal."""

    def __init__(
        self, cashier: AnyCashier, web: WebSettings | SettingsOf, rules: PortalRules
    ) -> None:
        super().__init__(cashier, web)
        self._rules = rules
        self._keys: dict[str, tuple[WebSettings, FormKeys]] = {}
        if isinstance(web, WebSettings):
            require_keys(web)

    def endpoint(self, route: PortalRoute) -> Callable[[Request], Awaitable[Response]]:
        """Return what answers the requests for *route*."""

        async def answer(request: Request) -> Response:
            return await self._served(request, lambda visit: self._answer(visit, route))

        return answer

    async def stylesheet(self, request: Request) -> Response:
        """Send the style sheet of fragments."""
        return await self._served(request, self._stylesheet)

    async def _stylesheet(self, visit: Visit) -> Response:
        from starlette.responses import Response

        headers = {**plain_headers(), "content-type": "text/css; charset=utf-8"}
        headers["cache-control"] = "public, no-cache"
        return Response(scoped(visit.site.renderer.style), headers=headers)

    @override
    def _make_site(self, web: WebSettings) -> Site:
        return Site.of(web, STYLES)

    async def _answer(self, visit: Visit, route: PortalRoute) -> Response:
        member = await self._member(visit)
        posted = visit.request.method == "POST"
        if posted and route.takes_posts:
            # A browser sends no session with a form of another site; it does with this redirect.
            return see_other(f"{self._root(visit)}{_path_of(visit, self._base(visit))}")
        if member is None:
            return await self._signed_out(visit, posted=posted)
        try:
            found = await self._of_member(visit, member)
            if posted and route.acts is not None:
                return await self._take(found, route, route.acts)
            return await self._show(found, route)
        except UsageError:
            # What is not valid, or not in this ledger, was in the address.
            raise NotThereError from None

    async def _take(self, found: PortalVisit, route: PortalRoute, acts: Acts) -> Response:
        """Do what a form asks for; or show its page again, with what is wrong with it."""
        pairs = await read_pairs(
            found.visit.request, bytes_max=FORM_BYTES_MAX, seconds_max=_SECONDS_MAX
        )
        sent = found.with_(fields=pairs)
        own = found.visit.request.headers.get("origin") == origin_of(found.root)
        try:
            if not own:
                raise FormNotValidError  # noqa: TRY301  (one answer for both)
            form = sent.keys.read(sent.given("token"), sent.session, route.page, sent.cashier.now())
            view = await acts(sent.with_(form=form))
        except FormNotValidError:
            problems = (Problem("form", CHECK_AND_SEND),)
            return await self._show(sent.with_(problems=problems), route, status=403)
        except NotDoneError as wrong:
            return await self._show(sent.with_(problems=wrong.problems), route, status=422)
        if isinstance(view, GoTo):
            return see_other(view.url)
        return await self._sent(found, view, status=422)

    async def _show(self, found: PortalVisit, route: PortalRoute, *, status: int = 200) -> Response:
        view = await route.shows(found)
        if isinstance(view, GoTo):
            return see_other(view.url)
        if isinstance(view, ReceiptView):
            return self._page(found.visit, view, found.reader, status=status)
        return await self._sent(found, view, status=status)

    async def _sent(self, found: PortalVisit, view: PortalView, *, status: int = 200) -> Response:
        return await self._document(
            found.visit, view, found.reader, member=found.member, status=status
        )

    async def _document(
        self,
        visit: Visit,
        view: PortalView,
        reader: Language,
        *,
        member: Member | None = None,
        status: int = 200,
    ) -> Response:
        from starlette.responses import HTMLResponse

        renderer = visit.site.renderer
        origins = self._origins(view)
        render = self._rules.render
        if render is not None:
            fragment = Fragment(
                title=reader.plain(view.title),
                html=portal_html(renderer, view, reader, fragment=True),
                stylesheet=f"{self._root(visit)}/portal.css",
                language=reader.code,
                status=status,
                origins=tuple(origins),
            )
            return await self._rendered(render, visit.request, fragment)
        html = portal_html(renderer, view, reader, member=member, sign_out=self._rules.sign_out_url)
        policy = PagePolicy(
            style_digest=renderer.style_digest,
            scripts=[f"{visit.web.root}/{page_script().name}"],
            processor_origins=origins,
            posts_to_processor=bool(origins),
        )
        return HTMLResponse(html, status, headers=page_headers(policy))

    async def _rendered(
        self, render: Callable[[Request, Fragment], Any], request: Request, fragment: Fragment
    ) -> Response:
        """Return what the host's template makes of *fragment*; it is never stored by a cache."""
        from starlette.responses import HTMLResponse, Response

        made = await call(self._page_threads(), render, request, fragment)
        response = made if isinstance(made, Response) else HTMLResponse(made, fragment.status)
        for name, value in COMMON.items():
            response.headers.setdefault(name, value)
        return response

    @staticmethod
    def _origins(view: PortalView) -> Sequence[str]:
        """Return the origin of the processor to which a form of *view* leads."""
        if not isinstance(view, Notice) or view.main is None:
            return ()
        target = view.main[1]
        external = isinstance(target, Post) and target.external
        return (origin_of(target.url),) if external and isinstance(target, Post) else ()

    async def _member(self, visit: Visit) -> Member | None:
        """Return who is signed in; raise `NotThereError` for the portal of another tenant."""
        try:
            member = await call(self._page_threads(), self._rules.customer_of, visit.request)
        except LookupError:
            raise NotThereError from None
        if member is None:
            return None
        if not isinstance(member, Member):
            raise InvalidValue(
                "customer_of must return Member(customer=…, session=…), or None",
                argument="customer_of",
            )
        if member.tenant != visit.cashier.tenant:
            raise NotThereError
        return member

    async def _of_member(self, visit: Visit, member: Member) -> PortalVisit:
        cashier = visit.cashier.acting_as(f"customer {member.customer}"[:255])
        return PortalVisit(
            visit=visit,
            member=member,
            cashier=cashier,
            keys=self._form_keys(visit),
            root=self._root(visit),
            runs=self._run,
            reader=visit.reader(member.language),
            accounts=await self._accounts(visit),
            known=await self._run(visit, cashier.customer, member.customer),
            version=self._rules.mandate_version,
        )

    def _base(self, visit: Visit) -> str:
        """Return the path of the portal, as the server knows it."""
        base = str(visit.request.scope.get("root_path", ""))
        return f"{base}/{visit.cashier.tenant}" if self._cashier.serves_all else base

    def _root(self, visit: Visit) -> str:
        """Return the address of the portal; its origin never comes from a request."""
        url = self._rules.url
        if not url:
            return f"{visit.web.origin}{self._base(visit)}"
        return f"{url}/{visit.cashier.tenant}" if self._cashier.serves_all else url

    def _form_keys(self, visit: Visit) -> FormKeys:
        tenant = visit.cashier.tenant
        web, keys = self._keys.get(tenant, (None, None))
        if keys is None or web != visit.web:
            require_keys(visit.web)
            keys = FormKeys.of(visit.web, PURPOSE, tenant)
            self._keys[tenant] = (visit.web, keys)
        return keys

    # --- Pages without anybody ---

    async def _signed_out(self, visit: Visit, *, posted: bool) -> Response:
        to = self._rules.sign_in_url
        if to and not posted:
            return see_other(to)
        view = Notice(
            title=text("You were signed out"),
            calls=(text("Nothing was paid."),),
            main=(text("Sign in"), Link(to)) if to else None,
        )
        return await self._document(visit, view, visit.reader(), status=401)

    @override
    def _missing(self, visit: Visit) -> Response:
        from starlette.responses import HTMLResponse

        view = Notice(
            title=text("Not found"),
            notes=(text("It may have been mistyped, or it is not yours."),),
        )
        html = portal_html(visit.site.renderer, view, visit.reader())
        policy = PagePolicy(
            style_digest=visit.site.renderer.style_digest,
            scripts=[f"{visit.web.root}/{page_script().name}"],
        )
        return HTMLResponse(html, 404, headers=page_headers(policy))


def require_keys(web: WebSettings) -> None:
    """Raise `InvalidValue` for settings without keys."""
    if not web.keys:
        raise InvalidValue(
            "forms of people who are signed in are signed with keys, but the settings of the pages "
            "have none; pass WebSettings(keys=[…])",
            argument="web",
        )


def _path_of(visit: Visit, base: str) -> str:
    return str(visit.request.url.path).removeprefix(base)
