"""The page of all states: every page in every state, language and color scheme, from samples.

It is for those who look at the pages: designers, translators, and the tests. It reads no ledger,
and nothing that is pressed on its pages is sent anywhere but to itself.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from paygate.errors import MissingExtra
from paygate.web.desk.rendering import STYLES as DESK_STYLES
from paygate.web.desk.rendering import desk_html
from paygate.web.desk.samples import DESK_SAMPLES, MENU, STAFF
from paygate.web.languages import FALLBACK, language
from paygate.web.pages.headers import PagePolicy, page_headers
from paygate.web.pages.render import STYLES, PageScript, Renderer, Scheme
from paygate.web.pages.scripts import page_script, popup_script
from paygate.web.pages.serving import script_response
from paygate.web.portal.rendering import STYLES as PORTAL_STYLES
from paygate.web.portal.rendering import portal_html
from paygate.web.portal.samples import MEMBER, PORTAL_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from paygate.web.languages import Language
    from paygate.web.pages.views import PageView, ReceiptView
    from paygate.web.settings import WebSettings

PATH: Final = "/_states"
"""Where the application is below `WebSettings.base_url`."""


def gallery(web: WebSettings) -> ASGIApp:
    """Return an ASGI application that lists every page, to mount at ``/_states`` of the pages.

    Its pages have the look, languages and headers of *web*. Do not mount it where payers are: they
    could take a sample for a payment. Raises `MissingExtra` without Starlette, Jinja2 or segno.
    """
    try:
        from starlette.applications import Starlette
        from starlette.routing import Route
    except ImportError as error:
        raise MissingExtra(
            "the page of all states needs Starlette; pip install 'paygate-sdk[web]'", extra="web"
        ) from error
    shown = _Gallery(web)
    scripts = [
        Route(f"/{each.name}", partial(script_response, script=each))
        for each in (page_script(), popup_script())
    ]
    return Starlette(
        routes=[
            *scripts,
            Route("/", shown.listing),
            Route("/{scheme}/{code}/{name}", shown.sample),
        ]
    )


class _Gallery:
    """The pages of the application, rendered when they are asked for."""

    def __init__(self, web: WebSettings) -> None:
        from paygate.web.pages.samples import RECEIPT, SAMPLES

        self._root = f"{web.root}{PATH}"
        self._languages = tuple(web.languages)
        self._zone = web.zone
        self._embed_origins = tuple(web.embed_origins)
        # A sample has no state that could change.
        views = {name: replace(each, poll="") for name, each in SAMPLES.items()}
        self._views: Mapping[str, PageView | ReceiptView] = {**views, "receipt": RECEIPT}
        script = PageScript(f"{self._root}/{page_script().name}", page_script().integrity)
        self._renderers = {
            (scheme, styles): Renderer(web, scripts=[script], scheme=scheme, styles=styles)
            for scheme in Scheme
            for styles in (STYLES, PORTAL_STYLES, DESK_STYLES)
        }

    async def listing(self, _request: Request) -> Response:
        """Return the list of the pages."""
        links = {
            name: {
                code: {str(each): f"{self._root}/{each}/{code}/{name}" for each in Scheme if each}
                for code in self._languages
                # The desk is in English.
                if name not in DESK_SAMPLES or code == FALLBACK
            }
            for name in [*self._views, *PORTAL_SAMPLES, *DESK_SAMPLES]
        }
        renderer = self._renderers[Scheme.BOTH, STYLES]
        return self._sent(renderer, renderer.listing(links, language(FALLBACK)))

    async def sample(self, request: Request) -> Response:
        """Return one page."""
        from starlette.responses import PlainTextResponse

        asked = request.path_params
        name = asked["name"]
        known = asked["code"] in self._languages and asked["scheme"] in [*Scheme]
        if not known or name not in {*self._views, *PORTAL_SAMPLES, *DESK_SAMPLES}:
            return PlainTextResponse("This sample does not exist.\n", 404)
        reader = language(asked["code"], self._zone)
        return self._shown(name, Scheme(asked["scheme"]), reader)

    def _shown(self, name: str, scheme: Scheme, reader: Language) -> Response:
        if name in PORTAL_SAMPLES:
            renderer = self._renderers[scheme, PORTAL_STYLES]
            return self._sent(
                renderer,
                portal_html(renderer, PORTAL_SAMPLES[name], reader, member=MEMBER, sign_out="/"),
            )
        if name in DESK_SAMPLES:
            renderer = self._renderers[scheme, DESK_STYLES]
            reader = language(FALLBACK, self._zone)
            html = desk_html(renderer, DESK_SAMPLES[name], reader, staff=STAFF, menu=MENU)
            return self._sent(renderer, html)
        renderer = self._renderers[scheme, STYLES]
        return self._sent(renderer, renderer.shown(self._views[name], reader))

    def _sent(self, renderer: Renderer, html: str) -> Response:
        from starlette.responses import HTMLResponse

        policy = PagePolicy(
            style_digest=renderer.style_digest,
            scripts=[f"{self._root}/{page_script().name}"],
            embed_origins=self._embed_origins,
        )
        return HTMLResponse(html, headers=page_headers(policy))
