"""The security headers allow what a page needs, and nothing else."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from paygate.web.pages.headers import PagePolicy, page_headers
from paygate.web.pages.render import Renderer
from paygate.web.pages.scripts import page_script, popup_script
from tests.web.pages.reading import read
from tests.web.pages.test_pages import RENDERER, WEB, page


def policy(**more: Any) -> dict[str, str]:
    """Return the directives of a page with these needs."""
    given = PagePolicy(style_digest="sha256-x", **more)
    directives = given.content_security_policy.split("; ")
    return dict(each.split(" ", 1) for each in directives)


def test_a_page_that_needs_nothing_may_load_nothing() -> None:
    assert policy() == {
        "default-src": "'none'",
        "style-src": "'sha256-x'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }


def test_scripts_and_connections_are_allowed_by_their_whole_address() -> None:
    given = policy(
        scripts=["https://a.example/pay/page.js"], connects=["https://a.example/pay/p/x/state"]
    )

    assert given["script-src"] == "https://a.example/pay/page.js"
    assert given["connect-src"] == "https://a.example/pay/p/x/state"


def test_only_a_page_that_posts_to_the_processor_names_it_as_a_target_of_forms() -> None:
    origins = ["https://processor.example"]

    assert policy(processor_origins=origins)["form-action"] == "'self'"
    given = policy(processor_origins=origins, posts_to_processor=True)
    assert given["form-action"] == "'self' https://processor.example"
    assert "script-src" not in given


def test_only_the_page_of_a_script_step_runs_a_foreign_script() -> None:
    given = policy(
        processor_script="https://js.processor.example/v3",
        processor_origins=["https://js.processor.example", "https://api.processor.example"],
    )

    assert given["script-src"] == "https://js.processor.example/v3"
    both = "https://js.processor.example https://api.processor.example"
    assert given["frame-src"] == given["connect-src"] == both


def test_a_page_is_framed_by_nobody_or_by_the_named_origins() -> None:
    alone = page_headers(PagePolicy(style_digest="sha256-x"))
    framed = page_headers(
        PagePolicy(style_digest="sha256-x", embed_origins=["https://shop.example"])
    )

    assert alone["x-frame-options"] == "DENY"
    assert "x-frame-options" not in framed
    assert "frame-ancestors https://shop.example" in framed["content-security-policy"]


def test_a_response_is_not_kept_guessed_indexed_or_told_on() -> None:
    headers = page_headers(PagePolicy(style_digest="sha256-x"))

    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-robots-tag"] == "noindex"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["referrer-policy"] == "strict-origin"


def test_the_digest_of_the_style_is_that_of_the_style_on_the_page() -> None:
    style = "".join(
        each for each in read(page("choose")).one("style").children if isinstance(each, str)
    )

    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert RENDERER.style_digest == f"sha256-{digest}"
    assert Renderer(WEB).style_digest == RENDERER.style_digest


def test_the_scripts_are_small_and_alike_in_every_process() -> None:
    for script in (page_script(), popup_script()):
        assert len(script.body) <= 2_000
        assert script.integrity.startswith("sha384-")
        assert b"innerHTML" not in script.body
        assert b"eval" not in script.body
