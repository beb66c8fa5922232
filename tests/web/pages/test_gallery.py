"""The page of all states: it leads to every sample, and each is sent with its headers."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from paygate.web.desk.samples import DESK_SAMPLES
from paygate.web.languages import LANGUAGES
from paygate.web.pages.gallery import PATH, gallery
from paygate.web.pages.samples import SAMPLES, sample_settings
from paygate.web.pages.scripts import page_script
from paygate.web.portal.samples import PORTAL_SAMPLES
from tests.web.pages.reading import read

WEB = sample_settings()
APP = Starlette(routes=[Mount(f"/pay{PATH}", gallery(WEB))])
ROOT = f"{WEB.root}{PATH}"


@pytest.fixture
def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(APP))


async def test_the_list_leads_to_every_page_in_every_language_and_scheme(
    client: httpx.AsyncClient,
) -> None:
    root = read((await client.get(f"{ROOT}/")).text)

    links = [
        str(each.attributes["href"])
        for each in root.all("a")
        if str(each.attributes["href"]).startswith(ROOT)
    ]
    assert set(links) == {
        f"{ROOT}/{scheme}/{code}/{name}"
        for scheme in ("light", "dark")
        for code in LANGUAGES
        for name in [*SAMPLES, "receipt", *PORTAL_SAMPLES, *(DESK_SAMPLES if code == "en" else ())]
    }
    for link in links:
        answer = await client.get(link)
        assert answer.status_code == 200
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        code = urlsplit(link).path.split("/")[-2]
        assert f'<html lang="{code}"' in answer.text


@pytest.mark.parametrize(("scheme", "rule"), [("light", "@media not all"), ("dark", "@media all")])
async def test_a_sample_is_in_the_scheme_that_was_chosen(
    client: httpx.AsyncClient, scheme: str, rule: str
) -> None:
    html = (await client.get(f"{ROOT}/{scheme}/en/paid")).text

    assert f"color-scheme:{scheme};" in html
    assert html.count(f"{rule}{{:root") == 2
    assert "prefers-color-scheme" not in html


@pytest.mark.parametrize("path", ["/light/en/none", "/light/xx/paid", "/red/en/paid", "/x"])
async def test_what_does_not_exist_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(f"{ROOT}{path}")).status_code == 404


async def test_a_script_is_sent_once_and_then_only_if_it_changed(
    client: httpx.AsyncClient,
) -> None:
    html = (await client.get(f"{ROOT}/light/en/paid")).text
    [(url, integrity)] = re.findall(r'<script src="([^"]+)" integrity="([^"]+)"', html)

    first = await client.get(url)
    again = await client.get(url, headers={"if-none-match": first.headers["etag"]})
    older = await client.get(url, headers={"if-none-match": '"sha384-older"'})

    assert integrity == page_script().integrity
    assert first.content == older.content == page_script().body
    assert first.headers["access-control-allow-origin"] == "*"
    assert (again.status_code, again.content) == (304, b"")
