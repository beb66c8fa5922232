"""Who signed a message whose certificate has to be fetched, and from where."""

from __future__ import annotations

import json
import zlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import certifi
import pytest

from paygate.dialogue import Dialogue, Response
from paygate.driver import BadResponse, Certificates, NotAuthentic
from paygate.driverkit.certificates import authorities
from paygate.testing.play import play


@pytest.fixture(scope="module")
def vectors(protocols: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((protocols / "paypal" / "webhook_vectors.json").read_text())
    return read


def certificates(vectors: dict[str, Any]) -> Certificates:
    return Certificates(
        "PayPal",
        hosts=["api.sandbox.paypal.com"],
        path="/v1/notifications/certs/",
        name="messageverificationcerts.sandbox.paypal.com",
        roots=vectors["trusted_root_pem"].encode(),
    )


def named(vectors: dict[str, Any], name: str) -> dict[str, Any]:
    [case] = [each for each in vectors["cases"] if each["name"] == name]
    return dict(case)


def check(known: Certificates, case: dict[str, Any], at: datetime) -> Dialogue[None]:
    headers = case["headers"]
    signed = "|".join(
        [
            headers["PAYPAL-TRANSMISSION-ID"],
            headers["PAYPAL-TRANSMISSION-TIME"],
            case["webhook_id"],
            str(zlib.crc32(case["body"].encode())),
        ]
    )
    url, signature = headers["PAYPAL-CERT-URL"], headers["PAYPAL-TRANSMISSION-SIG"]
    return known.check(url, signed.encode(), signature, at)


def fetched(case: dict[str, Any]) -> Response:
    return Response(status=200, body=case["certificate_pem"].encode())


@pytest.fixture
def now(vectors: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(vectors["check_time"])


def test_a_certificate_is_fetched_once_and_its_signature_holds(
    vectors: dict[str, Any], now: datetime
) -> None:
    known, genuine = certificates(vectors), named(vectors, "genuine")

    first = play(check(known, genuine, now), fetched(genuine))
    again = play(check(known, genuine, now))

    assert [each.url for each in first.requests] == [genuine["headers"]["PAYPAL-CERT-URL"]]
    assert again.requests == []


@pytest.mark.parametrize(
    "name",
    [
        "body re-serialised",
        "amount tampered",
        "another webhook id",
        "self-signed in the right name",
        "right chain, wrong name",
        "expired certificate",
    ],
)
def test_what_the_processor_did_not_sign_is_refused(
    vectors: dict[str, Any], now: datetime, name: str
) -> None:
    case = named(vectors, name)

    with pytest.raises(NotAuthentic) as refused:
        play(check(certificates(vectors), case, now), fetched(case))

    assert refused.value.why == "signature"


@pytest.mark.parametrize(
    "name", ["certificate host of a stranger", "userinfo trick in URL", "plain http"]
)
def test_a_certificate_of_a_stranger_is_not_even_fetched(
    vectors: dict[str, Any], now: datetime, name: str
) -> None:
    with pytest.raises(NotAuthentic, match="a certificate that is not PayPal's"):
        play(check(certificates(vectors), named(vectors, name), now))


@pytest.mark.parametrize(
    "url",
    [
        "https://api.sandbox.paypal.com:8443/v1/notifications/certs/CERT-1",
        "https://api.sandbox.paypal.com/v1/notifications/certs/../../oauth2",
        "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1?to=x",
        "https://api.sandbox.paypal.com/v1/notifications/",
        "https://[/v1/notifications/certs/CERT-1",
        "",
    ],
)
def test_no_other_place_of_the_host_is_asked(
    vectors: dict[str, Any], now: datetime, url: str
) -> None:
    with pytest.raises(NotAuthentic, match="a certificate that is not PayPal's"):
        play(certificates(vectors).check(url, b"", "", now))


def test_a_certificate_that_is_kept_expires_all_the_same(
    vectors: dict[str, Any], now: datetime
) -> None:
    known, genuine = certificates(vectors), named(vectors, "genuine")
    play(check(known, genuine, now), fetched(genuine))

    with pytest.raises(NotAuthentic, match="or has expired"):
        play(check(known, genuine, now + timedelta(days=365 * 50)))


@pytest.mark.parametrize(
    "response",
    [
        Response(status=500),
        Response(status=404, body=b"-----BEGIN CERTIFICATE-----"),
        Response(status=200, body=b"<html>"),
        Response(status=200, body=b""),
    ],
)
def test_a_certificate_that_cannot_be_had_leaves_the_callback_unverified(
    vectors: dict[str, Any], now: datetime, response: Response
) -> None:
    with pytest.raises(BadResponse, match="PayPal sent no certificate"):
        play(check(certificates(vectors), named(vectors, "genuine"), now), response)


@pytest.mark.parametrize("signature", ["", "é", "not base64!", "AAAA"])
def test_a_signature_that_does_not_read_is_refused(
    vectors: dict[str, Any], now: datetime, signature: str
) -> None:
    genuine = named(vectors, "genuine")
    genuine["headers"] = {**genuine["headers"], "PAYPAL-TRANSMISSION-SIG": signature}

    with pytest.raises(NotAuthentic, match="was not made by PayPal"):
        play(check(certificates(vectors), genuine, now), fetched(genuine))


def without_roots() -> Certificates:
    return Certificates(
        "PayPal",
        hosts=["api.sandbox.paypal.com"],
        path="/v1/notifications/certs/",
        name="messageverificationcerts.sandbox.paypal.com",
    )


def test_without_roots_an_authority_that_tls_does_not_trust_is_refused(
    vectors: dict[str, Any], now: datetime
) -> None:
    genuine = named(vectors, "genuine")

    with pytest.raises(NotAuthentic, match="a certificate that is not PayPal's"):
        play(check(without_roots(), genuine, now), fetched(genuine))


def test_without_roots_the_authorities_that_tls_trusts_are_trusted(
    vectors: dict[str, Any], now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine, file = named(vectors, "genuine"), tmp_path / "authorities.pem"
    public = Path(certifi.where()).read_text(encoding="utf-8")
    file.write_text(f"{public}\n{vectors['trusted_root_pem']}", encoding="utf-8")
    monkeypatch.setattr(certifi, "where", lambda: str(file))

    play(check(without_roots(), genuine, now), fetched(genuine))


def test_each_authority_that_tls_trusts_is_read() -> None:
    file = Path(certifi.where())

    assert len(authorities(str(file))) == file.read_text("utf-8").count("BEGIN CERTIFICATE")
