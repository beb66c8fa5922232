"""Chromium, and pages that it gets with the headers with which the application sends them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from paygate.web.desk.rendering import STYLES as DESK_STYLES
from paygate.web.desk.rendering import desk_html
from paygate.web.desk.samples import DESK_SAMPLES, MENU, STAFF
from paygate.web.languages import language
from paygate.web.pages.headers import OF_SCRIPTS, PagePolicy, page_headers
from paygate.web.pages.render import STYLES, PageScript, Renderer
from paygate.web.pages.samples import RECEIPT, SAMPLES, sample_settings
from paygate.web.pages.scripts import page_script
from paygate.web.portal.rendering import STYLES as PORTAL_STYLES
from paygate.web.portal.rendering import portal_html
from paygate.web.portal.samples import MEMBER, PORTAL_SAMPLES
from tests.browser.sites import Site, Sites
from tests.browser.tools import CHROMIUM, FLAGS
from tests.web.serving import asgi_served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Route

WEB = sample_settings()
ROOT = WEB.root


def _renderer(styles: Sequence[str]) -> Renderer:
    script = PageScript(f"{ROOT}/{page_script().name}", page_script().integrity)
    return Renderer(WEB, scripts=[script], styles=styles)


RENDERER = _renderer(STYLES)
OF_PORTAL, OF_DESK = _renderer(PORTAL_STYLES), _renderer(DESK_STYLES)


def renderer_of(name: str) -> Renderer:
    """Return what renders a sample page."""
    return OF_PORTAL if name in PORTAL_SAMPLES else OF_DESK if name in DESK_SAMPLES else RENDERER


def html_of(name: str, code: str) -> str:
    """Return a sample page in a language; the desk is in English."""
    if name in PORTAL_SAMPLES:
        return portal_html(
            OF_PORTAL, PORTAL_SAMPLES[name], language(code), member=MEMBER, sign_out="/out"
        )
    if name in DESK_SAMPLES:
        return desk_html(OF_DESK, DESK_SAMPLES[name], language("en"), staff=STAFF, menu=MENU)
    if name == "receipt":
        return RENDERER.receipt(RECEIPT, language(code))
    return RENDERER.page(SAMPLES[name], language(code))


@dataclass
class Shown:
    """A page in the browser, and what the browser complained about."""

    page: Page
    complaints: list[str] = field(default_factory=list[str])
    requests: list[str] = field(default_factory=list[str])

    @classmethod
    def of(cls, page: Page) -> Shown:
        """Return *page* with what happens on it from now on."""
        result = cls(page)
        page.on("console", lambda message: result.complaints.append(message.text))
        page.on("pageerror", lambda error: result.complaints.append(str(error)))
        page.on("request", lambda request: result.requests.append(request.url))
        return result


Show = Callable[..., Shown]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Return Debian's Chromium."""
    playwright: Any = pytest.importorskip("playwright.sync_api")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"there is no Chromium at {CHROMIUM}")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def show(chromium: Browser) -> Iterator[Show]:
    """Return a function that shows a sample page as the application would send it."""
    contexts: list[BrowserContext] = []

    def shown(name: str, code: str = "en", *, width: int = 390, **more: Any) -> Shown:
        context = chromium.new_context(viewport={"width": width, "height": 800}, **more)
        contexts.append(context)
        result = Shown.of(context.new_page())
        result.page.route("**", lambda route: _answer(route, name, code))
        result.page.goto(f"{ROOT}/p/sample")
        return result

    yield shown
    for context in contexts:
        context.close()


@pytest.fixture
def sites() -> Iterator[Sites]:
    """Return the pages, the shop and the processor, each with an origin of its own."""
    with ExitStack() as served:

        def site() -> Site:
            found = Site()
            found.origin = served.enter_context(asgi_served(found, timeout_graceful_shutdown=1))
            return found

        yield Sites(site(), site(), site())


@pytest.fixture
def browse(chromium: Browser, sites: Sites) -> Iterator[Callable[..., Shown]]:
    """Return a function that opens a window; it is closed before the sites are."""
    contexts: list[BrowserContext] = []

    def opened(**more: Any) -> Shown:
        context = chromium.new_context(viewport={"width": 800, "height": 800}, **more)
        contexts.append(context)
        return Shown.of(context.new_page())

    yield opened
    for context in contexts:
        context.close()


def _answer(route: Route, name: str, code: str) -> None:
    url = route.request.url
    if url == f"{ROOT}/page.js":
        route.fulfill(body=page_script().body, headers=dict(OF_SCRIPTS))
    elif url == f"{ROOT}/p/sample/state":
        route.fulfill(json={"state": "pending", "version": "1"})
    elif url.startswith(f"{ROOT}/p/"):
        policy = PagePolicy(
            style_digest=renderer_of(name).style_digest,
            scripts=[f"{ROOT}/page.js"],
            connects=[f"{ROOT}/p/sample", f"{ROOT}/p/sample/state"],
        )
        headers = {**page_headers(policy), "content-type": "text/html; charset=utf-8"}
        route.fulfill(body=html_of(name, code), headers=headers)
    else:
        route.abort()
