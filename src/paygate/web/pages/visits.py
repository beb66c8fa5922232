"""Visits: who asks for a page of which merchant, and how every request is answered.

Whatever a page needs of the ledger is read by verbs of the cashier, in threads or awaited. What a
verb raises about the address, or about the ledger, becomes one of three pages, which are alike for
everybody: the token leads nowhere, or it is too early to ask again.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from paygate.domain.origin import origin_of
from paygate.errors import (
    AccountsUnavailable,
    InvalidValue,
    LinkNotFound,
    NotAllowedHere,
    PageNotFound,
    StoreError,
)
from paygate.web.bodies import TooMuch, read_fields
from paygate.web.calling import call, of_this_loop
from paygate.web.languages import accepted, language
from paygate.web.pages.headers import COMMON, PagePolicy, page_headers
from paygate.web.pages.limits import Counter, visitor_of
from paygate.web.pages.render import STYLES, PageScript, Renderer
from paygate.web.pages.scripts import page_script, popup_script
from paygate.web.pages.serving import script_response
from paygate.web.pages.states import PageState
from paygate.web.pages.views import Does, Link, PageView
from paygate.web.settings import WebSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from anyio import CapacityLimiter
    from anyio.lowlevel import RunVar
    from starlette.requests import Request
    from starlette.responses import Response

    from paygate.cashier.aio import AsyncCashier
    from paygate.cashier.sync import Cashier
    from paygate.service.account import GatewayAccount
    from paygate.web.languages import Language
    from paygate.web.looks import Looks
    from paygate.web.pages.views import ReceiptView
    from paygate.web.shares import Shares

    AnyCashier: TypeAlias = Cashier | AsyncCashier
    SettingsOf: TypeAlias = Callable[[str], WebSettings]

PAGE_THREADS: Final = 40
"""How many requests for pages a `Cashier` serves at once."""

TENANT_THREADS: Final = 5
"""How many requests for pages of one tenant are served at once, of many tenants."""

FORM_BYTES_MAX: Final = 20_000
_FORM_SECONDS_MAX: Final = 10.0
_DAY: Final = timedelta(days=1)
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Site:
    """The pages of one merchant: their settings, and what renders them."""

    web: WebSettings
    renderer: Renderer

    @classmethod
    def of(cls, web: WebSettings, styles: Sequence[str] = STYLES) -> Site:
        """Return the pages with these settings, and with these style sheets."""
        script = PageScript(f"{web.root}/{page_script().name}", page_script().integrity)
        return cls(web, Renderer(web, scripts=[script], styles=styles))


@dataclass(frozen=True, slots=True)
class Visit:
    """A request: whose pages it is for, who asks, and in which language."""

    request: Request
    cashier: AnyCashier
    site: Site
    visitor: str

    @property
    def web(self) -> WebSettings:
        """The settings of the pages."""
        return self.site.web

    @property
    def token(self) -> str:
        """The token in the address."""
        return str(self.request.path_params["token"])

    def reader(self, chosen: str = "") -> Language:
        """Return the language *chosen* for a link, or else the one that the browser prefers."""
        offered = self.web.languages
        if chosen in offered:
            return language(chosen, self.web.zone)
        header = self.request.headers.get("accept-language", "")
        return language(accepted(header, tuple(offered)), self.web.zone)

    @property
    def in_frame(self) -> bool:
        """Whether the page is shown in a frame, as far as the browser says."""
        return self.request.headers.get("sec-fetch-dest") in ("iframe", "frame")

    @property
    def is_own(self) -> bool:
        """Whether a form was sent from these pages."""
        return self.request.headers.get("origin") == self.web.origin


class NotThereError(Exception):
    """The token leads nowhere, or the tenant has no pages."""


class TooOftenError(Exception):
    """The visitor has asked too often."""


class Reception:
    """What the pages of links and payments share: whom they serve, and how they answer."""

    def __init__(self, cashier: AnyCashier, web: WebSettings | SettingsOf) -> None:
        from anyio.lowlevel import RunVar

        self._cashier = cashier
        self._settings_of = web
        self._sites: dict[str, Site] = {}
        self._fallback = self._make_site(web) if isinstance(web, WebSettings) else None
        # The limiters belong to one event loop; the application may outlive it.
        self._threads: RunVar[CapacityLimiter] = RunVar("page threads")
        self._looks: RunVar[Looks] = RunVar("looks of pages")
        self._shares: RunVar[Shares] = RunVar("shares of pages")
        self._misses: dict[str, Counter] = {}
        self._tries: dict[str, Counter] = {}

    async def page_js(self, request: Request) -> Response:
        """Send the script of the pages."""
        return script_response(request, page_script())

    async def popup_js(self, request: Request) -> Response:
        """Send the script for pages of the merchant."""
        return script_response(request, popup_script())

    async def not_found(self, request: Request, _: Exception) -> Response:
        """Answer an address that has no page."""
        return await self._served(request, self._nowhere)

    async def broken(self, request: Request, _: Exception) -> Response:
        """Answer after an error of ours, which the server logs."""

        async def answer(visit: Visit) -> Response:
            return self._later(visit, 500)

        return await self._served(request, answer)

    async def _nowhere(self, _: Visit) -> Response:
        raise NotThereError

    def _page(
        self,
        visit: Visit,
        view: PageView | ReceiptView,
        reader: Language,
        *,
        status: int = 200,
        connects: Sequence[str] = (),
        origins: Sequence[str] = (),
        posts: bool = False,
    ) -> Response:
        from starlette.responses import HTMLResponse

        script = view.script.url if isinstance(view, PageView) and view.script else ""
        policy = PagePolicy(
            style_digest=visit.site.renderer.style_digest,
            scripts=[f"{visit.web.root}/{page_script().name}"],
            connects=connects,
            processor_script=script,
            processor_origins=origins,
            posts_to_processor=posts,
            embed_origins=visit.web.embed_origins,
        )
        html = visit.site.renderer.shown(view, reader)
        return HTMLResponse(html, status, headers=page_headers(policy))

    def _missing(self, visit: Visit) -> Response:
        """Return the one page for every address that leads nowhere."""
        view = PageView(state=PageState.NOT_FOUND, values={})
        return self._page(visit, view, visit.reader(), status=404)

    def _later(self, visit: Visit, status: int) -> Response:
        again = {Does.TRY_AGAIN: Link("")}  # the same address
        view = PageView(state=PageState.TRY_LATER, values={}, targets=again)
        response = self._page(visit, view, visit.reader(), status=status)
        response.headers["retry-after"] = "60"
        return response

    async def _served(
        self, request: Request, serve: Callable[[Visit], Awaitable[Response]]
    ) -> Response:
        """Return what *serve* answers, or the page for what it raises."""
        try:
            visit = await self._visit(request)
        except (LookupError, InvalidValue):
            return not_found()
        try:
            self._check_misses(visit)
            return await serve(visit)
        except (NotThereError, PageNotFound, LinkNotFound):
            self._miss(visit)
            return self._missing(visit)
        except TooOftenError:
            return self._later(visit, 429)
        except TooMuch as much:
            return self._later(visit, much.status)
        except (StoreError, AccountsUnavailable):
            return self._later(visit, 503)

    async def _visit(self, request: Request) -> Visit:
        """Return the visit of a request; raise `LookupError` for a tenant without pages."""
        tenant: str = request.path_params.get("tenant", "")
        if self._cashier.serves_all and not tenant:
            raise LookupError
        cashier = self._cashier.for_tenant(tenant) if tenant else self._cashier
        site = await self._site(tenant)
        return Visit(request, cashier, site, visitor_of(request, site.web.trusted_proxies))

    async def _site(self, tenant: str) -> Site:
        settings = self._settings_of
        if isinstance(settings, WebSettings):
            assert self._fallback is not None  # noqa: S101  (it was made of these settings)
            return self._fallback
        web: WebSettings = await call(self._page_threads(), settings, tenant)
        found = self._sites.get(tenant)
        if found is None or found.web != web:
            found = self._sites[tenant] = self._make_site(web)
        return found

    def _make_site(self, web: WebSettings) -> Site:
        return Site.of(web)

    def _check_misses(self, visit: Visit) -> None:
        if self._misses_of(visit).is_full(visit.visitor, visit.cashier.now()):
            raise TooOftenError

    def _miss(self, visit: Visit) -> None:
        self._misses_of(visit).add(visit.visitor, visit.cashier.now())

    def _misses_of(self, visit: Visit) -> Counter:
        most = visit.web.misses_per_minute
        return self._misses.setdefault(visit.cashier.tenant, Counter(most, _MINUTE))

    def _tries_of(self, visit: Visit) -> Counter:
        most = visit.web.tries_per_day
        return self._tries.setdefault(visit.cashier.tenant, Counter(most, _DAY))

    async def _accounts(self, visit: Visit) -> Mapping[str, GatewayAccount]:
        try:
            return visit.cashier.gateways
        except NotAllowedHere:
            found: Mapping[str, GatewayAccount] = await self._run(visit, visit.cashier.accounts)
            return found

    async def _run(self, visit: Visit, verb: Callable[..., Any], /, *args: Any, **more: Any) -> Any:
        async with self._share(visit):
            return await call(self._page_threads(), verb, *args, **more)

    def _page_threads(self) -> CapacityLimiter:
        from anyio import CapacityLimiter

        return of_this_loop(self._threads, lambda: CapacityLimiter(PAGE_THREADS))

    def _share(self, visit: Visit) -> AbstractAsyncContextManager[None]:
        from paygate.web.shares import Shares

        if not self._cashier.serves_all:
            return nullcontext()
        shares = of_this_loop(self._shares, lambda: Shares(TENANT_THREADS))
        return shares.of(visit.cashier.tenant)

    async def _fields(self, visit: Visit) -> dict[str, str]:
        """Return the fields of the form that was sent."""
        return await read_fields(
            visit.request, bytes_max=FORM_BYTES_MAX, seconds_max=_FORM_SECONDS_MAX
        )


def not_found() -> Response:
    """Return the response to an address below which nobody has pages."""
    from starlette.responses import PlainTextResponse

    return PlainTextResponse("Not found\n", 404, headers=plain_headers())


def plain_headers() -> dict[str, str]:
    """Return the headers of a response that is no page."""
    return {**COMMON, "content-security-policy": "default-src 'none'"}


def see_other(to: str) -> Response:
    """Return a redirect to an address of ours."""
    from starlette.responses import RedirectResponse

    return RedirectResponse(to, status_code=303, headers=plain_headers())


def origin_or_none(url: str) -> str:
    """Return the origin of *url*, or an empty text if it has none."""
    try:
        return origin_of(url)
    except ValueError:
        return ""
