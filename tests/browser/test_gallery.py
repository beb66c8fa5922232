"""The list of samples, served on loopback, in the browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from paygate.web.pages.gallery import PATH, gallery
from paygate.web.pages.samples import sample_settings
from tests.browser.conftest import Shown
from tests.browser.tools import axe, vnu
from tests.web.serving import asgi_served


@pytest.fixture
def listing() -> Iterator[str]:
    apps: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await apps[0](scope, receive, send)

    with asgi_served(app, lifespan="off", timeout_graceful_shutdown=1) as origin:
        web = sample_settings(f"{origin}/pay")
        apps.append(Starlette(routes=[Mount(f"/pay{PATH}", gallery(web))]))
        yield f"{web.root}{PATH}/"


def test_the_list_has_no_barrier_and_leads_to_a_page(
    listing: str, browse: Callable[..., Shown], tmp_path: Path
) -> None:
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    shown = browse()
    response = shown.page.goto(listing)
    assert response is not None
    file = tmp_path / "listing.html"
    file.write_bytes(response.body())

    for scheme in schemes:
        shown.page.emulate_media(color_scheme=scheme)
        assert axe(shown.page) == []
    assert vnu([file]) == []
    shown.page.get_by_role("row", name="unknown").get_by_role("link", name="dark").first.click()
    shown.page.wait_for_url(f"{listing}dark/en/unknown")

    body = "getComputedStyle(document.body).backgroundColor"
    assert shown.page.evaluate(body) == "rgb(13, 17, 23)"
    assert shown.complaints == []
