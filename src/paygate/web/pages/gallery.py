"""The page of all states: every page in every state, language and color scheme, from samples.

It is for those who look at the pages: designers, translators, and the tests. It reads no ledger,
and nothing that is pressed on its pages is sent anywhere but to itself.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from paygate.errors import MissingExtra
from paygate.web.languages import FALLBACK, language
from paygate.web.pages.headers import PagePolicy, page_headers
from paygate.web.pages.render import PageScript, Renderer, Scheme
from paygate.web.pages.scripts import page_script, popup_script
from paygate.web.pages.serving import script_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

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
            scheme: Renderer(web, scripts=[script], scheme=scheme) for scheme in Scheme
        }

    async def listing(self, _request: Request) -> Response:
        """Return the list of the pages."""
        links = {
            name: {
                code: {str(each): f"{self._root}/{each}/{code}/{name}" for each in Scheme if each}
                for code in self._languages
            }
            for name in self._views
        }
        renderer = self._renderers[Scheme.BOTH]
        return self._sent(renderer, renderer.listing(links, language(FALLBACK)))

    async def sample(self, request: Request) -> Response:
        """Return one page."""
        from starlette.responses import PlainTextResponse

        asked = request.path_params
        view = self._views.get(asked["name"])
        known = asked["code"] in self._languages and asked["scheme"] in [*Scheme]
        if view is None or not known:
            return PlainTextResponse("This sample does not exist.\n", 404)
        renderer = self._renderers[Scheme(asked["scheme"])]
        reader = language(asked["code"], self._zone)
        return self._sent(renderer, renderer.shown(view, reader))

    def _sent(self, renderer: Renderer, html: str) -> Response:
        from starlette.responses import HTMLResponse

        policy = PagePolicy(
            style_digest=renderer.style_digest,
            scripts=[f"{self._root}/{page_script().name}"],
            embed_origins=self._embed_origins,
        )
        return HTMLResponse(html, headers=page_headers(policy))
