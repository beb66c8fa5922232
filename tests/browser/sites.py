"""Sites on loopback that a test fills: the pages, the merchant's shop and the processor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from paygate.web.languages import language
from paygate.web.pages.headers import OF_SCRIPTS, PagePolicy, page_headers
from paygate.web.pages.render import PageScript, Renderer
from paygate.web.pages.samples import sample_settings
from paygate.web.pages.scripts import page_script, popup_script
from paygate.web.pages.views import PageView


@dataclass
class Site:
    """An origin: what it answers to each request, such as ``GET /pay``, and what it was asked."""

    origin: str = ""
    answers: dict[str, Response] = field(default_factory=dict[str, Response])
    asked: list[str] = field(default_factory=list[str])
    posted: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        asked = f"{request.method} {request.url.path}"
        self.asked.append(asked)
        if request.method == "POST":
            self.posted.append(dict(parse_qsl((await request.body()).decode())))
        await self.answers.get(asked, Response(status_code=404))(scope, receive, send)

    def count(self, asked: str) -> int:
        return self.asked.count(asked)


@dataclass
class Sites:
    """The pages, the shop that may show them in a frame, and the processor."""

    pages: Site
    shop: Site
    processor: Site

    def __post_init__(self) -> None:
        self.web = sample_settings(f"{self.pages.origin}/pay", embed_origins=[self.shop.origin])
        script = PageScript(f"{self.web.root}/page.js", page_script().integrity)
        self.renderer = Renderer(self.web, scripts=[script])
        for each in (page_script(), popup_script()):
            self.pages.answers[f"GET /pay/{each.name}"] = Response(
                each.body, headers=dict(OF_SCRIPTS)
            )
        self.processor.answers |= {
            f"{method} /checkout": HTMLResponse("<title>Processor</title><h1>Processor</h1>")
            for method in ("GET", "POST")
        }

    def put(self, path: str, view: PageView, *, posts_to_processor: bool = False) -> str:
        """Serve *view* at *path* of the pages, and return its address."""
        url = f"{self.web.root}{path}"
        policy = PagePolicy(
            style_digest=self.renderer.style_digest,
            scripts=[f"{self.web.root}/page.js"],
            connects=[url, f"{url}/state"],
            processor_origins=[self.processor.origin],
            posts_to_processor=posts_to_processor,
            embed_origins=self.web.embed_origins,
        )
        html = self.renderer.page(view, language("en"))
        self.pages.answers[f"GET /pay{path}"] = HTMLResponse(html, headers=page_headers(policy))
        return url

    def state(self, path: str, version: str) -> None:
        """Let the script of the page at *path* know *version*."""
        self.pages.answers[f"GET /pay{path}/state"] = Response(
            f'{{"state": "", "version": "{version}"}}', media_type="application/json"
        )

    def see_other(self, path: str, to: str) -> None:
        """Answer a form that is posted to *path* with a redirect."""
        self.pages.answers[f"POST /pay{path}"] = RedirectResponse(to, 303)

    def embed(self, href: str, more: str = "") -> str:
        """Serve a page of the shop that opens *href* in a dialog, and return its address."""
        script = popup_script()
        self.shop.answers["GET /"] = HTMLResponse(
            f'<!doctype html><title>Shop</title><p><a href="/other">Other</a></p>'
            f'<p><a id="pay" data-paygate href="{href}">Pay now</a></p>{more}'
            f'<script src="{self.web.root}/{script.name}" integrity="{script.integrity}"'
            f' crossorigin="anonymous" defer></script>'
        )
        return f"{self.shop.origin}/"
