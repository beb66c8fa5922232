"""Chromium, and pages that it gets with the headers with which the application sends them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from paygate.web.languages import language
from paygate.web.pages.headers import PagePolicy, page_headers
from paygate.web.pages.render import PageScript, Renderer
from paygate.web.pages.samples import RECEIPT, SAMPLES
from paygate.web.pages.scripts import CONTENT_TYPE, page_script
from paygate.web.settings import WebSettings
from tests.browser.tools import CHROMIUM, FLAGS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Route

ROOT = "https://alder.example/pay"
LOGO = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" '
    b'rx="7" fill="#12573f"/><path d="M16 26V14M16 16c0-5 3-8 8-8 0 5-3 8-8 8M16 19c0-4-3-6-7-6 0 '
    b'4 3 6 7 6" fill="none" stroke="#fff" stroke-width="2"/></svg>'
)
WEB = WebSettings(
    payee="Alder Telecom",
    base_url=ROOT,
    support_phone="+1 555 0100",
    support_email="billing@alder.example",
    legal_lines=("400 Mill Street, Portland, OR 97204", "Tax number 93-1234567"),
    logo=LOGO,
)
RENDERER = Renderer(
    WEB, scripts=[PageScript(f"{ROOT}/{page_script().name}", page_script().integrity)]
)


def html_of(name: str, code: str) -> str:
    """Return a sample page in a language."""
    if name == "receipt":
        return RENDERER.receipt(RECEIPT, language(code))
    return RENDERER.page(SAMPLES[name], language(code))


@dataclass
class Shown:
    """A page in the browser, and what the browser complained about."""

    page: Page
    complaints: list[str] = field(default_factory=list[str])
    requests: list[str] = field(default_factory=list[str])


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
        result = Shown(context.new_page())
        page = result.page
        page.on("console", lambda message: result.complaints.append(message.text))
        page.on("pageerror", lambda error: result.complaints.append(str(error)))
        page.on("request", lambda request: result.requests.append(request.url))
        page.route("**", lambda route: _answer(route, name, code))
        page.goto(f"{ROOT}/p/sample")
        return result

    yield shown
    for context in contexts:
        context.close()


def _answer(route: Route, name: str, code: str) -> None:
    url = route.request.url
    if url == f"{ROOT}/page.js":
        headers = {"content-type": CONTENT_TYPE, "access-control-allow-origin": "*"}
        route.fulfill(body=page_script().body, headers=headers)
    elif url == f"{ROOT}/p/sample/state":
        route.fulfill(json={"state": "pending", "version": "1"})
    elif url.startswith(f"{ROOT}/p/"):
        policy = PagePolicy(
            style_digest=RENDERER.style_digest,
            scripts=[f"{ROOT}/page.js"],
            connects=[f"{ROOT}/p/sample", f"{ROOT}/p/sample/state"],
        )
        headers = {**page_headers(policy), "content-type": "text/html; charset=utf-8"}
        route.fulfill(body=html_of(name, code), headers=headers)
    else:
        route.abort()
