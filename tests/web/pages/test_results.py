"""What a payer brings home: signed for one site and one tenant, and for five minutes."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest

from paygate import PaymentStatus
from paygate.errors import InvalidSettings, InvalidValue, NotAuthentic
from paygate.testing import FakeClock
from paygate.web.results import read_result, result_key, write_result
from paygate.web.settings import WebSettings
from tests.web.pages.test_standing import IN_FULL, PLAIN

KEY, OTHER = "A" * 43 + "=", "B" * 43 + "="
SHOP = "https://shop.example"
NOW = FakeClock().now()


def settings(*keys: str, base_url: str = "https://pay.example/pay") -> WebSettings:
    return WebSettings(payee="Alder", base_url=base_url, keys=keys)


def written(web: WebSettings, **more: Any) -> str:
    from dataclasses import replace

    payment = replace(PLAIN, link="lnk_1", **IN_FULL)
    given: dict[str, Any] = {"origin": SHOP, "tenant": "main", "now": NOW, **more}
    return write_result(web, payment, **given)


def test_a_result_says_how_the_payment_stood() -> None:
    web = settings(KEY)

    found = read_result(written(web, assignment_key="ORDER-7"), web, origin=SHOP, now=NOW)

    assert (found.link, found.payment, found.status) == ("lnk_1", "pay_1", PaymentStatus.SUCCEEDED)
    assert (str(found.amount), found.assignment_key) == ("30.00 USD", "ORDER-7")
    assert found.issued_at == NOW
    assert found.id != read_result(written(web), web, origin=SHOP, now=NOW).id


def test_another_library_reads_it_with_the_key_of_its_origin() -> None:
    web = settings(KEY)

    claims = jwt.decode(
        written(web),
        result_key(web, origin=SHOP).reveal(),
        algorithms=["HS256"],
        audience=SHOP,
        issuer="https://pay.example/pay",
        options={"verify_exp": False},
    )

    assert claims["exp"] - claims["iat"] == 300
    assert (claims["payment"], claims["amount"], claims["currency"]) == ("pay_1", "30.00", "USD")


@pytest.mark.parametrize("later", [timedelta(minutes=5), timedelta(days=1)])
def test_after_five_minutes_it_is_refused(later: timedelta) -> None:
    web = settings(KEY)
    token = written(web)

    in_time = NOW + timedelta(seconds=299)
    assert read_result(token, web, origin=SHOP, now=in_time).payment == "pay_1"
    with pytest.raises(NotAuthentic):
        read_result(token, web, origin=SHOP, now=NOW + later)


def changed(token: str, **claims: Any) -> str:
    head, body, signature = token.split(".")
    plain = json.loads(base64.urlsafe_b64decode(body + "=="))
    text = json.dumps(plain | claims).encode()
    return f"{head}.{base64.urlsafe_b64encode(text).decode().rstrip('=')}.{signature}"


def unsigned(token: str) -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    return f"{head}.{token.split('.')[1]}."


def test_what_was_changed_or_is_for_somebody_else_is_refused() -> None:
    web = settings(KEY)
    token = written(web)
    claims = jwt.decode(token, options={"verify_signature": False})
    weak = jwt.encode(claims, "x" * 32, headers={"kid": jwt.get_unverified_header(token)["kid"]})
    for forged in (
        changed(token, amount="0.01"),
        changed(token, exp=2**40),
        unsigned(token),
        weak,
        token[:-2],
        "",
        "a.b.c",
        "é",
    ):
        with pytest.raises(NotAuthentic):
            read_result(forged, web, origin=SHOP, now=NOW)
    given: dict[str, Any] = {"web": web, "origin": SHOP, "now": NOW}
    for name, other in (
        ("origin", "https://other.example"),
        ("tenant", "other"),
        ("web", settings(OTHER)),
        ("web", settings(KEY, base_url="https://pay.example/other")),
    ):
        with pytest.raises(NotAuthentic):
            read_result(token, **(given | {name: other}))


def test_a_retired_key_still_reads_what_it_signed() -> None:
    old, new = settings(OTHER), settings(KEY, OTHER)

    assert read_result(written(old), new, origin=SHOP, now=NOW).payment == "pay_1"
    with pytest.raises(NotAuthentic):
        read_result(written(new), old, origin=SHOP, now=NOW)


def test_without_keys_there_is_no_result() -> None:
    web = settings()

    assert written(web) == ""
    with pytest.raises(InvalidValue):
        read_result("x", web, origin=SHOP)


def test_a_key_is_never_printed_and_a_wrong_one_is_refused_at_once() -> None:
    assert KEY not in repr(settings(KEY))
    with pytest.raises(InvalidSettings):
        settings("short")
