"""Limits: what is counted, of whom, and for how long."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from starlette.requests import Request

from paygate.errors import InvalidValue
from paygate.ledger.page_keys import digest_of
from paygate.testing import FakeClock
from paygate.web.access_log import TokenFilter, without_tokens
from paygate.web.pages.limits import Counter, visitor_of
from paygate.web.settings import WebSettings

TOKEN = "AbCdEfGhIjKlMnOpQrStU-"


def test_a_subject_is_full_until_the_oldest_is_over() -> None:
    clock, counter = FakeClock(), Counter(2, timedelta(minutes=1))

    counter.add("a", clock.now())
    clock.advance(timedelta(seconds=30))
    counter.add("a", clock.now())

    assert counter.is_full("a", clock.now())
    assert not counter.is_full("b", clock.now())
    clock.advance(timedelta(seconds=30))
    assert not counter.is_full("a", clock.now())


def test_ever_new_subjects_do_not_fill_the_memory() -> None:
    now, counter = FakeClock().now(), Counter(1, timedelta(minutes=1))

    for number in range(10_050):
        counter.add(str(number), now)

    assert counter.is_full("10049", now)
    assert not counter.is_full("0", now)


def asked_by(peer: str, forwarded: str = "") -> Request:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    scope: dict[str, Any] = {"type": "http", "headers": headers, "client": (peer, 1)}
    return Request(scope)


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "visitor"),
    [
        ("203.0.113.9", "", [], "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", [], "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", ["10.0.0.0/8"], "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1", ["10.0.0.0/8"], "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1, 10.0.0.2", ["10.0.0.0/8"], "198.51.100.1"),
        ("203.0.113.9", "198.51.100.1", ["10.0.0.0/8"], "203.0.113.9"),
        ("10.0.0.1", "", ["10.0.0.0/8"], "10.0.0.1"),
        ("10.0.0.1", "<script>", ["10.0.0.0/8"], "unknown"),
        ("2001:db8::1", "", [], "2001:db8::/64"),
        ("2001:db8::2", "", [], "2001:db8::/64"),
        ("::ffff:203.0.113.9", "", [], "203.0.113.9"),
    ],
)
def test_a_visitor_is_who_connects_or_whom_a_trusted_proxy_names(
    peer: str, forwarded: str, trusted: list[str], visitor: str
) -> None:
    assert visitor_of(asked_by(peer, forwarded), trusted) == visitor


@pytest.mark.parametrize(
    "wrong",
    [{"tries_per_day": 0}, {"misses_per_minute": -1}, {"trusted_proxies": ["everybody"]}],
)
def test_settings_of_limits_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match=next(iter(wrong))):
        WebSettings(payee="Alder", base_url="https://pay.example/", **wrong)


def test_an_access_log_has_ids_in_place_of_tokens(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("access log of a test")
    log.addFilter(TokenFilter())
    id_ = f"#{digest_of(TOKEN)[:12]}"

    with caplog.at_level(logging.INFO):
        # As uvicorn writes it, and as others do.
        log.info('%s - "%s %s HTTP/%s" %d', "::1", "GET", f"/pay/p/{TOKEN}/back?x=1", "1.1", 303)
        log.info(f"GET /l/{TOKEN}")  # noqa: G004  (some servers write it so)
        log.info("%(path)s", {"path": f"/l/{TOKEN}"})
        log.info("nothing to hide in /p/short")

    assert caplog.messages == [
        f'::1 - "GET /pay/p/{id_}/back?x=1 HTTP/1.1" 303',
        f"GET /l/{id_}",
        f"/l/{id_}",
        "nothing to hide in /p/short",
    ]


@pytest.mark.parametrize(
    "before",
    [
        "/pay//l//",
        "/pay/L/",
        "/pay/l%2F",
        "/pay/other?token=",
        "/pay/l/x%3d",
        "https://a.example/p/",
    ],
)
@pytest.mark.parametrize("token", [TOKEN, TOKEN.replace("A", "%41").replace("-", "%2D")])
@pytest.mark.parametrize("after", ["", "/", "?again", "%00", " HTTP/1.1", '"'])
def test_a_token_is_hidden_however_its_address_is_written(
    before: str, token: str, after: str
) -> None:
    hidden = without_tokens(f"GET {before}{token}{after}")

    assert hidden == f"GET {before}#{digest_of(TOKEN)[:12]}{after}"


@pytest.mark.parametrize(
    "text", [f"/l/{TOKEN}x", f"/l/{TOKEN[1:]}", f"/{TOKEN}{TOKEN}", f"pay_{TOKEN}"]
)
def test_a_text_of_another_length_is_left(text: str) -> None:
    assert without_tokens(text) == text
