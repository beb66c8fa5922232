"""Webhooks of PayPal: who is believed, and what a notice says."""

import base64
import json
import os
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from paygate.dialogue import Response
from paygate.domain.chargeback import DisputeState
from paygate.domain.money import Money
from paygate.domain.movement import Movement, MovementKind
from paygate.drivers.paypal import PayPal
from paygate.errors import BadResponse, NotAuthentic
from paygate.gateway import Applied, Callback, CallbackProof, CallbackStyle, Notice
from paygate.testing.play import converse, play
from tests.drivers.paypal.certificates import SIGNER, URL, WEBHOOK_ID, signed, signer
from tests.drivers.paypal.conftest import (
    CAPTURE,
    CERTIFICATE,
    MERCHANT,
    ORDER,
    REFUND,
    SENT_AT,
    answers,
    captured,
    event,
    money,
    order,
    paypal,
    refunded,
    refuses,
)

PAYPAL = paypal()
PAID = event("PAYMENT.CAPTURE.COMPLETED", captured())
DISPUTE = "PP-D-4012"


def body_of(told: object) -> bytes:
    return told if isinstance(told, bytes) else json.dumps(told).encode()


def read(told: object, *fetched: Response, by: PayPal | None = None) -> Notice:
    """Return the notice of a signed webhook; *fetched* follows the certificate."""
    sent = signed(body_of(told), SENT_AT)
    [notice] = play((by or paypal()).verify(sent), CERTIFICATE, *fetched).outcome
    return notice


def refuse(sent: Callback, by: PayPal | None = None, *fetched: Response) -> None:
    with pytest.raises(NotAuthentic):
        play((by or paypal()).verify(sent), *fetched)


# --- Who is believed ----------------------------------------------------------------------


def vectors(protocols: Path) -> tuple[str, list[dict[str, Any]]]:
    found = json.loads((protocols / "paypal" / "webhook_vectors.json").read_text())
    listed = next(value for value in found.values() if isinstance(value, list))
    roots = [value for name, value in found.items() if "root" in name and isinstance(value, str)]
    return roots[0], listed


def test_the_signed_deliveries_hold(protocols: Path) -> None:
    """One is accepted and ten are refused, most before anything is fetched."""
    root, listed = vectors(protocols)
    told: dict[str, list[str]] = {"accept": [], "reject": []}

    for vector in listed:
        headers = {name.lower(): value for name, value in vector["headers"].items()}
        sent = Callback(
            method="POST",
            path="/callbacks/paypal",
            headers=headers,
            body=vector["body"].encode(),
            received_at=datetime(2026, 1, 2, 3, 4, 7, tzinfo=UTC),
        )
        account = paypal(webhook_authorities=root, webhook_id=vector["webhook_id"])
        pem = Response(status=200, body=vector["certificate_pem"].encode())
        verdict = "accept" if is_believed(account, sent, pem) else "reject"
        told[verdict].append(vector["name"])
        assert verdict == vector["expect"], vector["name"]

    assert (len(told["accept"]), len(told["reject"])) == (1, 10)


def is_believed(account: PayPal, sent: Callback, certificate: Response) -> bool:
    try:
        return bool(converse(account.verify(sent), lambda _: certificate).outcome)
    except NotAuthentic:
        return False


@pytest.mark.parametrize(
    "url",
    [
        "https://api.paypal.com/v1/notifications/certs/CERT-1",
        "https://evil.example/v1/notifications/certs/CERT-1",
        "https://api.sandbox.paypal.com.evil.example/v1/notifications/certs/CERT-1",
        "https://api.sandbox.paypal.com@evil.example/v1/notifications/certs/CERT-1",
        "https://api.sandbox.paypal.com:8443/v1/notifications/certs/CERT-1",
        "http://api.sandbox.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.sandbox.paypal.com/v1/oauth2/token",
        "https://169.254.169.254/v1/notifications/certs/CERT-1",
        "file:///etc/passwd",
    ],
)
def test_nothing_is_fetched_from_another_place(url: str) -> None:
    refuse(signed(body_of(PAID), SENT_AT, url=url))


def test_the_certificate_is_fetched_once_and_kept() -> None:
    account = paypal()
    play(account.verify(signed(body_of(PAID), SENT_AT)), CERTIFICATE)

    again = play(account.verify(signed(body_of(event("X.Y", {})), SENT_AT)))

    assert again.requests == []


def test_a_certificate_of_another_name_signs_nothing() -> None:
    other = signer("www.sandbox.paypal.com")
    sent = signed(body_of(PAID), SENT_AT, by=other)

    refuse(sent, paypal(webhook_authorities=other.root), Response(status=200, body=other.chain))


def test_a_certificate_that_leads_nowhere_signs_nothing() -> None:
    other = signer(SIGNER + "")
    stranger = signer("messageverificationcerts.paypal.com")
    sent = signed(body_of(PAID), SENT_AT, by=stranger)

    refuse(sent, paypal(webhook_authorities=other.root), Response(status=200, body=stranger.chain))


def test_a_webhook_of_another_listener_of_the_account_is_refused() -> None:
    refuse(signed(body_of(PAID), SENT_AT, webhook_id="8PT597110X687430L"), None, CERTIFICATE)


def test_a_certificate_that_is_out_of_reach_is_asked_for_again() -> None:
    for answer in (Response(status=503), Response(status=200, body=b"<html>")):
        with pytest.raises(BadResponse):
            play(paypal().verify(signed(body_of(PAID), SENT_AT)), answer)


@pytest.mark.parametrize("algorithm", ["SHA1withRSA", "none", "sha256withrsa", ""])
def test_only_one_algorithm_is_taken(algorithm: str) -> None:
    sent = signed(body_of(PAID), SENT_AT)

    refuse(replace(sent, headers={**sent.headers, "paypal-auth-algo": algorithm}))


def test_a_repeated_transmission_is_believed_for_three_days() -> None:
    """PayPal repeats it with the same time; the id of the event shows the repetition."""
    sent = replace(signed(body_of(PAID), SENT_AT), received_at=SENT_AT + timedelta(days=3))

    [notice] = play(paypal().verify(sent), CERTIFICATE).outcome

    assert (notice.event_id, notice.signed_at) == ("WH-1", None)
    assert PAYPAL.traits.callback_proof is CallbackProof.SIGNED


def test_without_a_webhook_id_no_webhook_is_believed() -> None:
    account = paypal(webhook_id="")

    refuse(signed(body_of(PAID), SENT_AT, webhook_id=""), account)
    assert account.traits.callbacks is CallbackStyle.NONE


# --- Forged ones --------------------------------------------------------------------------

FORGED = int(os.environ.get("PAYGATE_FORGED_WEBHOOKS", "2000"))


def forge(dice: random.Random, genuine: Callback) -> Callback:
    """Change a genuine webhook in one or more places, or make one up."""
    headers, body = dict(genuine.headers), bytearray(genuine.body)
    for _ in range(dice.randint(1, 3)):
        match dice.randrange(8):
            case 0:
                body[dice.randrange(len(body))] ^= 1 << dice.randrange(8)
            case 1:
                at = dice.randrange(len(body))
                body[at:at] = dice.randbytes(dice.randint(1, 4))
            case 2:
                del body[dice.randrange(len(body)) :]
                body += b"{}"
            case 3:
                raw = bytearray(base64.b64decode(genuine.headers["paypal-transmission-sig"]))
                raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
                headers["paypal-transmission-sig"] = base64.b64encode(raw).decode()
            case 4:
                raw_key = dice.randbytes(256)
                headers["paypal-transmission-sig"] = base64.b64encode(raw_key).decode()
            case 5:
                name = dice.choice(["paypal-transmission-id", "paypal-transmission-time"])
                headers[name] = genuine.headers[name][:-1] + dice.choice("abcdefgXYZ")
            case 6:
                del headers[dice.choice(sorted(headers))]
                headers = {"paypal-auth-algo": "SHA256withRSA", **headers}
                headers.pop("paypal-transmission-sig", None)
            case _:
                other = dice.choice(["evil.example", "api.paypal.com", "api-m.paypal.com"])
                headers["paypal-cert-url"] = URL.replace("api.sandbox.paypal.com", other)
    return replace(genuine, headers=headers, body=bytes(body))


def test_no_forged_webhook_is_believed() -> None:
    dice, account = random.Random(20260803), paypal()  # noqa: S311  (to be repeatable)
    genuine = signed(body_of(PAID), SENT_AT)
    play(account.verify(genuine), CERTIFICATE)  # from now on the certificate is known
    believed = 0

    for _ in range(FORGED):
        sent = forge(dice, genuine)
        if (sent.headers, sent.body) == (genuine.headers, genuine.body):
            continue
        try:
            played = play(account.verify(sent))
        except NotAuthentic:
            continue
        believed += 1
        pytest.fail(f"believed: {sent.headers}, {sent.body!r}, {played.outcome}")

    assert believed == 0


# --- By asking PayPal ---------------------------------------------------------------------

BY_API = {"webhook_check": "api"}


def test_paypal_is_asked_about_the_bytes_that_arrived() -> None:
    raw = b'{ "id":"WH-1",  "event_type":"X.Y","resource":{"a":1.50}}'
    sent = signed(raw, SENT_AT)

    played = play(paypal(**BY_API).verify(sent), answers({"verification_status": "SUCCESS"}))

    [request] = played.requests
    assert b'"webhook_event":' + raw + b"}" in request.body
    assert json.loads(request.body)["webhook_id"] == WEBHOOK_ID
    assert request.sign_in
    assert not request.moves_money


def test_what_paypal_did_not_sign_is_refused() -> None:
    sent = signed(body_of(PAID), SENT_AT)

    refuse(sent, paypal(**BY_API), answers({"verification_status": "FAILURE"}))


@pytest.mark.parametrize(
    "answer",
    [
        answers({"verification_status": ""}),
        answers({}),
        answers([]),
        Response(status=200, body=b"<html>"),
        refuses("", 500, "INTERNAL_SERVER_ERROR"),
        refuses("", 401, "AUTHENTICATION_FAILURE"),
    ],
)
def test_anything_but_success_is_not_believed(answer: Response) -> None:
    with pytest.raises((BadResponse, NotAuthentic)):
        play(paypal(**BY_API).verify(signed(body_of(PAID), SENT_AT)), answer)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"id":"WH-1"},"webhook_id":"X"',
        b'{"a":1},"x":{}',
        b"",
        b"null,",
        b'{"a":1}{"a":2}',
        b"\xff",
    ],
)
def test_a_body_cannot_add_to_the_question(raw: bytes) -> None:
    refuse(signed(raw, SENT_AT), paypal(**BY_API))


# --- What it says -------------------------------------------------------------------------


def test_an_approval_says_that_the_order_can_be_taken() -> None:
    notice = read(event("CHECKOUT.ORDER.APPROVED", order("APPROVED")))

    assert (notice.ready, notice.our_ref, notice.reference) == (True, "att_1", ORDER)


@pytest.mark.parametrize(
    "type_",
    [
        "PAYMENT.CAPTURE.COMPLETED",
        "PAYMENT.CAPTURE.PENDING",
        "PAYMENT.CAPTURE.DENIED",
        "PAYMENT.CAPTURE.DECLINED",
        "PAYMENT.AUTHORIZATION.CREATED",
        "PAYMENT.AUTHORIZATION.VOIDED",
    ],
)
def test_what_can_be_looked_up_is_not_believed(type_: str) -> None:
    """A real small payment with somebody else's amount in it moves nothing here."""
    notice = read(event(type_, captured(amount=money("999999.00"))))

    assert (notice.answer, notice.movements, notice.ready) == (None, (), False)
    assert (notice.our_ref, notice.reference, notice.foreign) == ("att_1", ORDER, False)


def test_the_money_of_another_merchant_is_refused() -> None:
    other = captured(payee={"merchant_id": "8E7MGXCWTTKK3"})

    refuse(signed(body_of(event("PAYMENT.CAPTURE.COMPLETED", other)), SENT_AT), None, CERTIFICATE)


def test_another_systems_money_is_foreign() -> None:
    notice = read(event("PAYMENT.CAPTURE.COMPLETED", captured(custom_id="shop 12")))

    assert (notice.our_ref, notice.foreign) == ("", True)


def test_a_refund_of_ours_names_itself() -> None:
    notice = read(event("PAYMENT.CAPTURE.REFUNDED", refunded(custom_id="pay_1.att_8")))

    assert (notice.our_ref, notice.reference) == ("att_8", REFUND)
    assert notice.movements == (
        Movement(
            movement_id=REFUND, amount=Money("USD", 1000), kind=MovementKind.REFUND, undoes=CAPTURE
        ),
    )


def test_a_refund_made_on_paypals_site_is_one_of_its_payment() -> None:
    notice = read(event("PAYMENT.CAPTURE.REFUNDED", refunded()), answers(captured()))

    assert (notice.our_ref, notice.reference) == ("att_1", ORDER)
    assert [each.kind for each in notice.movements] == [MovementKind.REFUND]


def test_a_reversal_without_a_dispute_is_a_return() -> None:
    none = answers({"items": []})
    notice = read(event("PAYMENT.CAPTURE.REVERSED", refunded()), none, answers(captured()))

    assert [(each.kind, each.movement_id) for each in notice.movements] == [
        (MovementKind.RETURN, REFUND)
    ]


def test_without_the_permission_to_read_disputes_a_reversal_is_a_return() -> None:
    denied = refuses("PERMISSION_DENIED", 403, "NOT_AUTHORIZED")
    notice = read(event("PAYMENT.CAPTURE.REVERSED", refunded()), denied, answers(captured()))

    assert [each.kind for each in notice.movements] == [MovementKind.RETURN]


def test_an_event_whose_payment_is_out_of_reach_comes_again() -> None:
    broken = refuses("", 500, "INTERNAL_SERVER_ERROR")

    with pytest.raises(BadResponse):
        read(event("PAYMENT.CAPTURE.REFUNDED", refunded()), broken)


def test_a_refund_of_an_unknown_capture_is_foreign() -> None:
    gone = refuses("INVALID_RESOURCE_ID", 404, "RESOURCE_NOT_FOUND")

    assert read(event("PAYMENT.CAPTURE.REFUNDED", refunded()), gone).foreign


# --- Disputes -----------------------------------------------------------------------------


def dispute(status: str = "OPEN", **given: Any) -> dict[str, Any]:
    transaction = {"seller_transaction_id": CAPTURE, "custom": "pay_1.att_1"}
    return {
        "dispute_id": DISPUTE,
        "status": status,
        "reason": "UNAUTHORISED",
        "dispute_amount": money(),
        "disputed_transactions": [{**transaction, "seller": {"merchant_id": MERCHANT}}],
        "seller_response_due_date": "2026-08-20T12:00:00Z",
        **given,
    }


def moved(type_: str, day: int, value: str = "10.00", **given: Any) -> dict[str, Any]:
    return {
        "affected_party": "SELLER",
        "amount": money(value),
        "initiated_time": f"2026-08-{day:02}T12:00:00Z",
        "type": type_,
        "reason": "DISPUTE_SETTLEMENT",
        **given,
    }


def of_dispute(**given: Any) -> Notice:
    return read(event("CUSTOMER.DISPUTE.UPDATED", dispute(**given)))


def told(notice: Notice) -> list[tuple[str, str, str, str | None]]:
    return [
        (str(each.kind), each.movement_id, str(each.amount), each.undoes)
        for each in notice.movements
    ]


def test_a_dispute_without_money_is_only_open() -> None:
    notice = of_dispute()

    [found] = notice.disputes
    assert (found.reference, found.state) == (DISPUTE, DisputeState.OPENED)
    assert found.respond_by == datetime(2026, 8, 20, 12, tzinfo=UTC)
    assert notice.movements == ()


def test_each_turn_of_a_dispute_is_a_movement_of_its_own() -> None:
    turns = [moved("CREDIT", 12), moved("DEBIT", 11), moved("DEBIT", 13), moved("CREDIT", 14)]

    assert told(of_dispute(status="RESOLVED", money_movements=turns)) == [
        ("chargeback", DISPUTE, "10.00 USD", CAPTURE),
        ("chargeback_won", DISPUTE, "10.00 USD", DISPUTE),
        ("chargeback", f"{DISPUTE}#2", "10.00 USD", CAPTURE),
        ("chargeback_won", f"{DISPUTE}#2", "10.00 USD", f"{DISPUTE}#2"),
    ]


def test_what_moved_for_others_is_not_ours_and_fees_are_fees() -> None:
    turns = [
        moved("CREDIT", 11, affected_party="BUYER"),
        moved("DEBIT", 11),
        moved("DEBIT", 11, "15.00", reason="DISPUTE_FEE"),
    ]

    [movement] = of_dispute(money_movements=turns).movements

    assert (movement.amount, movement.fee) == (Money("USD", 1000), Money("USD", 1500))


@pytest.mark.parametrize(
    ("code", "state", "movements"),
    [
        ("RESOLVED_SELLER_FAVOUR", DisputeState.WON, 0),
        ("RESOLVED_WITH_PAYOUT", DisputeState.WON, 0),
        ("CANCELED_BY_BUYER", DisputeState.WON, 0),
        ("DENIED", DisputeState.WON, 0),
        ("NONE", DisputeState.WON, 0),
        ("ACCEPTED", DisputeState.LOST, 0),
        ("RESOLVED_BUYER_FAVOUR", DisputeState.LOST, 1),
        ("A_CODE_OF_TOMORROW", DisputeState.OPENED, 0),
    ],
)
def test_the_outcome_of_a_dispute_is_its_state(
    code: str, state: DisputeState, movements: int
) -> None:
    """An accepted claim is paid by a refund, which PayPal reports as such."""
    notice = of_dispute(status="RESOLVED", dispute_outcome={"outcome_code": code})

    assert [each.state for each in notice.disputes] == [state]
    assert len(notice.movements) == movements


def test_a_dispute_that_does_not_carry_our_ids_is_found_by_its_capture() -> None:
    without = dispute(disputed_transactions=[{"seller_transaction_id": CAPTURE}])

    notice = read(event("CUSTOMER.DISPUTE.CREATED", without), answers(captured()))

    assert (notice.our_ref, notice.reference) == ("att_1", ORDER)


# --- What cannot be read ------------------------------------------------------------------


@pytest.mark.parametrize(
    "resource",
    [
        refunded(amount=money("ten")),
        refunded(amount=money(currency="XXX")),
        refunded(amount=money("0.00")),
        refunded(links=[]),
        refunded(id="no id!"),
        {},
        None,
    ],
)
def test_an_authentic_event_that_cannot_be_read_is_kept_and_moves_nothing(resource: Any) -> None:
    notice = read(event("PAYMENT.CAPTURE.REFUNDED", resource))

    assert notice.unreadable
    assert (notice.event_id, notice.movements) == ("WH-1", ())


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b"null", b"\xff\xfe", b'{"id":7}'])
def test_signed_garbage_is_kept_and_moves_nothing(raw: bytes) -> None:
    notice = read(raw)

    assert notice.unreadable
    assert notice.movements == ()


def test_every_webhook_is_acknowledged() -> None:
    notice = read(PAID)

    assert {PAYPAL.reply(notice, each).status for each in Applied} == {200}
