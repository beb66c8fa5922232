"""Who signed a message, and when."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest

from paygate.driver import HmacKeys, NotAuthentic, Secret, alike, check_age, unix_stamp

NOON = datetime(2026, 8, 3, 12, tzinfo=UTC)


def keys(*secrets: str, **given: str) -> HmacKeys:
    return HmacKeys([Secret(each) for each in secrets], "Penny", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ({}, lambda mac: mac("sha256").hex()),
        ({"digest": "sha1"}, lambda mac: mac("sha1").hex()),
        ({"digest": "sha512", "encoding": "HEX"}, lambda mac: mac("sha512").hex().upper()),
        ({"encoding": "base64"}, lambda mac: base64.b64encode(mac("sha256")).decode()),
    ],
)
def test_a_signature_is_made_and_checked(given: dict[str, str], written: object) -> None:
    ours = keys("new", **given)

    signature = ours.sign(b"body")
    assert callable(written)
    assert signature == written(lambda digest: hmac.new(b"new", b"body", digest).digest())
    ours.check(b"body", "of another", signature)


def test_a_published_vector_holds() -> None:
    """PayNearMe's own: the pairs of a request, sorted, signed with SHA-256."""
    signed = (
        b"order_amount500order_currencyUSDorder_is_standingtrueorder_typeany"
        b"site_customer_identifier11223344site_identifierS2155373459timestamp1636142061version3.0"
    )

    keys("ab7b539ea1317cca67c63c552").check(
        signed, "65c694f4b632187aa02fc4144cdd374373307f0a200448c9e53f2e47d84b3b82"
    )


def test_while_a_secret_is_rolled_over_both_are_good() -> None:
    both = keys("new", "old")

    for secret in ("new", "old"):
        both.check(b"body", keys(secret).sign(b"body"))


@pytest.mark.parametrize(
    ("secrets", "signatures", "why"),
    [
        (("new",), (), "unsigned"),
        (("new",), ("",), "unsigned"),
        ((), ("x",), "signature"),
        (("new",), ("é",), "signature"),
        (("new",), (hashlib.sha256(b"body").hexdigest(),), "signature"),
        (("new",), (keys("other").sign(b"body"),), "signature"),
        (("new",), (keys("new").sign(b"another body"),), "signature"),
        (("new",), (keys("new").sign(b"body").upper(),), "signature"),
    ],
)
def test_nobody_else_is_believed(
    secrets: tuple[str, ...], signatures: tuple[str, ...], why: str
) -> None:
    with pytest.raises(NotAuthentic) as refused:
        keys(*secrets).check(b"body", *signatures)

    assert refused.value.why == why


def test_nothing_is_not_like_nothing() -> None:
    assert alike("CF9D", "CF9D")
    assert not alike("", "")
    assert not alike("CF9D", "cf9d")


def test_what_was_signed_too_long_ago_is_a_recording() -> None:
    for seconds in (-300, 0, 300):
        check_age(NOON, NOON + timedelta(seconds=seconds), 300)
    for seconds in (-301, 301):
        with pytest.raises(NotAuthentic, match="signed at 2026-08-03 12:00:00 UTC") as refused:
            check_age(NOON, NOON + timedelta(seconds=seconds), 300)
        assert refused.value.why == "too_old"


def test_a_signed_time_is_unix_seconds() -> None:
    assert unix_stamp("1785758400", "Penny") == NOON
    for text in ("", "+1", "1_0", "1.5", "٣", "9" * 400):
        with pytest.raises(NotAuthentic, match="no time signed by Penny"):
            unix_stamp(text, "Penny")
