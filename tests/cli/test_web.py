"""`paygate web inventory`: the scripts and headers of the pages, and a live site that differs."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

import pytest
from starlette.responses import HTMLResponse, RedirectResponse, Response

from paygate.web.pages.headers import OF_SCRIPTS
from paygate.web.pages.samples import SAMPLES
from paygate.web.pages.scripts import page_script, popup_script
from tests.browser.sites import Site, Sites
from tests.cli.conftest import Run
from tests.web.serving import asgi_served


@pytest.fixture
def site() -> Iterator[Sites]:
    """A live site with one page; the shop and the processor have addresses and are not served."""
    pages = Site()
    with asgi_served(pages) as pages.origin:
        shop, processor = Site("http://127.0.0.1:1"), Site("http://127.0.0.1:2")
        found = Sites(pages, shop, processor)
        found.put("/l/one", SAMPLES["choose"])
        yield found


def found(run: Run, site: Sites, *more: str) -> list[tuple[str, str]]:
    """Return the differences that the command shows, and check its exit status."""
    done = run("web", "inventory", "--check", f"{site.web.root}/l/one", *more, "--json")
    assert done.code == (1 if done.json["differences"] else 0)
    assert done.json["ok"] is not bool(done.json["differences"])
    return [(each["where"], each["problem"]) for each in done.json["differences"]]


def framed(run: Run, site: Sites) -> list[tuple[str, str]]:
    return found(run, site, "--embed-origin", site.shop.origin)


def changed(site: Sites, old: str, new: str) -> None:
    """Change the HTML of the page, as one would who has access to the server."""
    page = site.pages.answers["GET /pay/l/one"]
    assert old.encode() in bytes(page.body)
    body = bytes(page.body).replace(old.encode(), new.encode())
    headers = {name: value for name, value in page.headers.items() if name != "content-length"}
    site.pages.answers["GET /pay/l/one"] = HTMLResponse(body, headers=headers)


def test_each_script_has_its_digest_a_reason_and_who_approved_it(run: Run) -> None:
    listed = run("web", "inventory", "--json").json

    assert [each["path"] for each in listed["scripts"]] == ["page.js", "popup.js"]
    for each, script in zip(listed["scripts"], (page_script(), popup_script()), strict=True):
        digest = base64.b64encode(hashlib.sha384(script.body).digest()).decode()
        assert each["integrity"] == f"sha384-{digest}"
        assert each["reason"]
        assert each["authorized_by"].startswith("paygate ")
    assert listed["headers"]["content-security-policy"].startswith("default-src 'none';")
    assert "differences" not in listed

    named = run("web", "inventory", "--authorized-by", "J. Doe", "--json").json
    assert {each["authorized_by"] for each in named["scripts"]} == {"J. Doe"}
    assert "J. Doe" in run("web", "inventory", "--authorized-by", "J. Doe").out


def test_a_site_as_we_ship_it_matches(run: Run, site: Sites) -> None:
    assert framed(run, site) == []

    arguments = ("--check", f"{site.web.root}/l/one", "--embed-origin", site.shop.origin)
    assert "The site matches the inventory." in run("web", "inventory", *arguments).out


def test_without_a_page_the_one_of_an_unknown_link_is_compared(run: Run, site: Sites) -> None:
    site.put("/l/inventory", SAMPLES["not_found"])

    done = run(
        *("web", "inventory", "--check", site.web.root, "--embed-origin", site.shop.origin),
        "--json",
    )

    assert done.json["differences"] == []
    assert "GET /pay/l/inventory" in site.pages.asked


def test_an_origin_that_was_not_named_is_a_difference(run: Run, site: Sites) -> None:
    assert found(run, site) == [("page", f"allows frame-ancestors {site.shop.origin}")]


def test_a_changed_script_is_found(run: Run, site: Sites) -> None:
    site.pages.answers["GET /pay/popup.js"] = Response("steal()", headers=dict(OF_SCRIPTS))
    del site.pages.answers["GET /pay/page.js"]

    [missing, other] = framed(run, site)

    assert missing == ("page.js", "cannot be loaded: the status is 404")
    assert other[0] == "popup.js"
    assert other[1].startswith("has the digest sha384-")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("</main>", "</main><script>steal()</script>", "has a script without an address"),
        (
            "</main>",
            '</main><script src="https://evil.example/x.js"></script>',
            "loads https://evil.example/x.js, which is not in the inventory",
        ),
        ("<body", '<body onload="steal()"', "has code in its HTML: <body onload>"),
        (
            "</main>",
            '</main><a href=" java\nscript:steal()">x</a>',
            "has code in its HTML: <a href>",
        ),
        (
            page_script().integrity,
            "",
            "with the digest (none)",
        ),
        ("<style>", "<style>b{}", "allows style-src"),
    ],
)
def test_changed_html_is_found(run: Run, site: Sites, old: str, new: str, problem: str) -> None:
    changed(site, old, new)

    [(where, told)] = framed(run, site)

    assert where == "page"
    assert problem in told


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("default-src 'none'", "default-src *", "allows default-src *"),
        ("script-src ", "script-src 'unsafe-inline' ", "allows script-src 'unsafe-inline'"),
        ("connect-src ", "connect-src https://evil.example ", "allows connect-src https://evil"),
        ("form-action 'self'", "form-action *", "allows form-action *"),
        ("; base-uri 'none'", "", "has no base-uri"),
        ("base-uri 'none'", "base-uri 'none'; sandbox allow-scripts", "has sandbox"),
    ],
)
def test_a_wider_policy_is_found(run: Run, site: Sites, old: str, new: str, problem: str) -> None:
    headers = site.pages.answers["GET /pay/l/one"].headers
    headers["content-security-policy"] = headers["content-security-policy"].replace(old, new)

    [(where, told)] = framed(run, site)

    assert where == "page"
    assert problem in told


def test_missing_and_other_headers_are_found(run: Run, site: Sites) -> None:
    headers = site.pages.answers["GET /pay/l/one"].headers
    del headers["x-content-type-options"]
    del headers["content-security-policy"]
    headers["referrer-policy"] = "unsafe-url"

    assert framed(run, site) == [
        ("page", "has referrer-policy: unsafe-url; it should be: strict-origin"),
        ("page", "has no header x-content-type-options; it should be: nosniff"),
        ("page", "has no header content-security-policy"),
    ]


def test_what_is_no_page_is_named(run: Run, site: Sites) -> None:
    site.pages.answers["GET /pay/l/one"] = RedirectResponse("/login", 303)

    assert framed(run, site) == [("page", "is no page: the response has the status 303")]


def test_an_address_is_refused_that_a_browser_would_not_trust(run: Run) -> None:
    done = run("web", "inventory", "--check", "http://alder.example/pay/l/secret")

    assert done.code == 2
    assert "https" in done.err
    assert "secret" not in done.all


def test_a_site_that_does_not_answer_is_an_error_without_its_token(run: Run) -> None:
    done = run("web", "inventory", "--check", "http://127.0.0.1:1/pay/l/secret", "--json")

    assert done.code == 2
    assert done.error["message"] == "the site cannot be reached (ConnectError)"
    assert "secret" not in done.all
