"""Webhooks of Authorize.Net: who is believed, and what a notice says."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from paygate.domain.method import MethodNews
from paygate.domain.movement import MovementKind
from paygate.drivers.authorize_net import AuthorizeNet
from paygate.drivers.authorize_net.fields import order_number
from paygate.errors import BadResponse, NotAuthentic
from paygate.gateway import Applied, Callback, CallbackStyle, Notice, Reply
from paygate.testing.play import Played, play
from tests.drivers.authorize_net.conftest import SENT_AT, T, details, refuses, settings, usd

KEY = "52CB4A002C634B84" * 8
NET = AuthorizeNet(settings(signature_keys=KEY))
ORDER = order_number("k7")
PAID = "net.authorize.payment.authcapture.created"
REFUNDED = "net.authorize.payment.refund.created"


def event(type_: str = PAID, **payload: Any) -> bytes:
    told = {
        "notificationId": "182cbbff-cab2-4080-931d-80e5d818f23a",
        "eventType": type_,
        "eventDate": "2026-11-02T12:00:05.7722007Z",
        "webhookId": "849eb87e-078a-4169-a34b-c0bded5019a8",
        "payload": {
            "responseCode": 1,
            "authCode": "Z3PV5H",
            "avsResponse": "Y",
            "authAmount": 12.50,
            "entityName": "transaction",
            "id": T,
            **payload,
        },
    }
    return json.dumps(told).encode()


def signature(body: bytes, key: str = KEY) -> str:
    return f"sha512={hmac.new(key.encode(), body, hashlib.sha512).hexdigest().upper()}"


def callback(body: bytes, header: str | None = None) -> Callback:
    return Callback(
        method="POST",
        path="/callbacks/card",
        headers={"x-anet-signature": signature(body) if header is None else header},
        body=body,
        received_at=SENT_AT,
    )


def read(sent: Callback, *replies: Any, net: AuthorizeNet = NET) -> Played[list[Notice]]:
    return play(net.verify(sent), *replies)


# --- Who is believed -----------------------------------------------------------------------


def test_the_published_vector_holds(protocols: Path) -> None:
    vector = json.loads((protocols / "authorizenet" / "webhook-vector.json").read_text())
    net = AuthorizeNet(settings(signature_keys=vector["signature_key"]))
    sent = callback(vector["body"].encode(), vector["header"])

    (notice,) = read(sent, refuses("E00040"), net=net).outcome

    assert notice.event_id == "182cbbff-cab2-4080-931d-80e5d818f23a"
    assert notice.type == PAID


def test_small_letters_sign_as_well() -> None:
    body = event(invoiceNumber=ORDER)
    small = f"sha512={signature(body).removeprefix('sha512=').lower()}"

    assert read(callback(body, small)).outcome[0].reference == T


def test_the_old_key_and_the_new_one_are_good() -> None:
    body, new = event(invoiceNumber=ORDER), "AB" * 64
    net = AuthorizeNet(settings(signature_keys=[new, KEY]))

    for key in (new, KEY):
        assert read(callback(body, signature(body, key)), net=net).outcome


def test_every_byte_of_body_and_signature_counts() -> None:
    body = event(invoiceNumber=ORDER)
    good = signature(body)
    for place in range(0, len(body), 7):
        forged = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        with pytest.raises(NotAuthentic):
            read(callback(forged, good))
    for place in range(len(good)):
        other = f"{good[:place]}{chr(ord(good[place]) ^ 1)}{good[place + 1 :]}"
        with pytest.raises(NotAuthentic):
            read(callback(body, other))


@pytest.mark.parametrize("header", ["", "sha512=", "sha512=ß", "sha256=AA", "AA"])
def test_what_is_not_signed_is_refused(header: str) -> None:
    with pytest.raises(NotAuthentic):
        read(callback(event(), header))


def test_a_signature_without_its_scheme_is_none() -> None:
    body = event()

    with pytest.raises(NotAuthentic):
        read(callback(body, signature(body).removeprefix("sha512=")))


def test_an_account_without_a_key_takes_none() -> None:
    net = AuthorizeNet(settings())

    assert net.traits.callbacks is CallbackStyle.NONE
    assert NET.traits.callbacks is CallbackStyle.ACKNOWLEDGED
    with pytest.raises(NotAuthentic):
        read(callback(event()), net=net)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"eventType": 1}', b"null"])
def test_what_is_signed_and_no_event_is_kept_with_the_reason(body: bytes) -> None:
    [notice] = read(callback(body)).outcome

    assert "does not read as an event" in notice.unreadable
    assert (notice.reference, notice.movements, notice.answer) == ("", (), None)


# --- What a notice says -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["invoiceNumber", "merchantReferenceId"])
def test_a_payment_of_ours_is_a_hint_under_both_its_names(name: str) -> None:
    played = read(callback(event(**{name: ORDER})))

    assert played.requests == []
    assert played.outcome == [
        Notice(
            event_id="182cbbff-cab2-4080-931d-80e5d818f23a",
            type=PAID,
            reference=T,
            earlier_reference=ORDER,
            occurred_at=datetime(2026, 11, 2, 12, 0, 5, 772200, tzinfo=UTC),
        )
    ]


def test_an_event_that_does_not_say_whose_is_asked_about() -> None:
    (notice,) = read(callback(event()), details("capturedPendingSettlement", order=ORDER)).outcome

    assert (notice.reference, notice.earlier_reference) == (T, ORDER)


@pytest.mark.parametrize(
    "reply", [details("capturedPendingSettlement", order="SHOP-7"), refuses("E00040")]
)
def test_what_is_not_ours_concerns_nothing(reply: Any) -> None:
    (notice,) = read(callback(event(invoiceNumber="SHOP-7")), reply).outcome

    assert (notice.reference, notice.earlier_reference, notice.movements) == ("", "", ())


def test_an_event_about_a_profile_concerns_no_payment() -> None:
    body = event("net.authorize.customer.created", entityName="customerProfile", id="123")

    (notice,) = read(callback(body)).outcome

    assert (notice.reference, notice.type) == ("", "net.authorize.customer.created")


def test_a_refund_of_ours_is_a_hint() -> None:
    refund = order_number("k-refund")
    told = details(
        "refundPendingSettlement",
        kind="refundTransaction",
        refTransId="60012345600",
        order=refund,
        ref=refund,
    )

    (notice,) = read(callback(event(REFUNDED, invoiceNumber=refund)), told).outcome

    assert (notice.reference, notice.earlier_reference) == (T, refund)
    assert notice.movements == ()


def test_a_refund_of_somebody_else_belongs_to_what_it_takes_back() -> None:
    told = details(
        "refundPendingSettlement",
        kind="refundTransaction",
        refTransId="60012345600",
        order=ORDER,
        settleAmount="3.00",
    )

    (notice,) = read(callback(event(REFUNDED, invoiceNumber=ORDER)), told).outcome

    assert notice.reference == "60012345600"
    (movement,) = notice.movements
    assert (movement.kind, movement.movement_id) == (MovementKind.REFUND, T)
    assert (movement.amount, movement.undoes) == (usd("3.00"), "60012345600")


def test_a_webhook_that_cannot_be_asked_about_is_not_taken() -> None:
    with pytest.raises(BadResponse):
        read(callback(event()), refuses("E00053"))


def test_every_webhook_is_thanked_for() -> None:
    notice = Notice(event_id="e", type="t")

    assert NET.reply(notice, Applied.UNKNOWN_REFERENCE) == Reply(status=200)


# --- Stored methods ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "id_", "news"),
    [
        ("deleted", "456", MethodNews(reference="456", ended=True, reason="deleted")),
        ("updated", "456", None),
        ("deleted", "no number", None),
    ],
)
def test_a_stored_method_that_somebody_deleted_has_ended(
    type_: str, id_: str, news: MethodNews | None
) -> None:
    body = event(
        f"net.authorize.customer.paymentProfile.{type_}",
        entityName="customerPaymentProfile",
        id=id_,
    )

    (notice,) = read(callback(body)).outcome

    assert notice.method == news
    assert notice.reference == ""
