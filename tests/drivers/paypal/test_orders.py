"""Orders at PayPal: what is asked for, and what its answers mean for the money."""

import json
from typing import Any

import pytest

from paygate.dialogue import Request, Response
from paygate.domain.advice import Advice
from paygate.domain.kind import Kind, Operation
from paygate.domain.money import Money
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    DeclineCode,
    Declined,
    Ended,
    NotFound,
    Pending,
    RejectCause,
    Rejected,
    Unknown,
)
from paygate.domain.secret import Secret
from paygate.drivers.paypal.codes import AMOUNTS, CAUSES, DECLINES
from paygate.errors import BadResponse, InvalidSettings, NoResponse, Unsupported
from paygate.gateway import Keyed, NotIdempotent, StoredToken, Voiding, Withdrawal
from paygate.registry import make
from paygate.testing.play import play
from tests.drivers.paypal.certificates import WEBHOOK_ID
from tests.drivers.paypal.conftest import (
    APPROVED,
    CAPTURE,
    ORDER,
    PAID,
    TEN,
    answers,
    capture,
    captured,
    charge,
    completion,
    held,
    inquiry,
    money,
    order,
    paypal,
    refunded,
    refunding,
    refuses,
    settings,
    unit,
)

PAYPAL = paypal()
OPENED = answers(order("PAYER_ACTION_REQUIRED"), 201)
STORED = StoredToken(Secret("nkq2y9g"))


# --- What is asked for --------------------------------------------------------------------


def test_every_post_has_a_request_id_of_its_step_that_fits() -> None:
    created, taken = (
        play(PAYPAL.charge(charge(key="k" * 300)), OPENED),
        play(PAYPAL.complete(completion()), APPROVED, PAID),
    )
    sent = [*created.requests, *taken.requests[1:]]
    sent += play(PAYPAL.refund(refunding()), answers(refunded(), 201)).requests

    ids = [each.headers["PayPal-Request-Id"] for each in sent]

    assert len(set(ids)) == 3
    assert all(len(each) <= 108 for each in ids)
    assert ids[1:] == ["k7-capture", "k7-refund"]


def test_the_lifetimes_of_request_ids_are_declared() -> None:
    lives = {
        operation: rule.ttl.total_seconds() / 3600
        for operation in Operation
        if isinstance(rule := PAYPAL.traits.idempotency_for(operation), Keyed)
    }

    assert lives[Operation.CHARGE] == lives[Operation.COMPLETE] == 6
    assert lives[Operation.CAPTURE] == lives[Operation.REFUND] == 45 * 24
    assert lives[Operation.ENROLL] == 3
    assert isinstance(PAYPAL.traits.idempotency_for(Operation.VOID), NotIdempotent)


def test_an_invoice_number_is_never_used_twice() -> None:
    """PayPal may refuse a number that was paid, and an invoice may be paid in parts."""
    bodies = [
        play(PAYPAL.charge(charge(invoices=("INV-7",), our_ref=ref)), OPENED).requests[0].body
        for ref in ("att_1", "att_2")
    ]

    assert b'"invoice_id":"INV-7 att_1"' in bodies[0]
    assert b'"invoice_id":"INV-7 att_2"' in bodies[1]


def test_a_wallet_that_is_to_be_stored_says_for_what() -> None:
    request = play(PAYPAL.charge(charge(store_method=True)), OPENED).requests[0]

    assert b'"store_in_vault":"ON_SUCCESS"' in request.body
    assert b'"usage_pattern":"RECURRING_POSTPAID"' in request.body


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"amount": Money("HUF", 120050)}, "round the amount first"),
        ({"amount": Money("JPY", 10), "return_url": ""}, "needs a return_url"),
        ({"amount": Money("KWD", 1000)}, "does not charge KWD"),
        ({"moto": True}, "by telephone"),
    ],
)
def test_what_paypal_cannot_do_is_refused_before_anything_is_sent(
    given: dict[str, Any], match: str
) -> None:
    with pytest.raises(Unsupported, match=match):
        PAYPAL.charge(charge(**given))


def test_the_digits_of_each_currency_are_paypals() -> None:
    assert AMOUNTS.decimal(Money("HUF", 120000)) == "1200"
    assert AMOUNTS.decimal(Money("TWD", 95000)) == "950"
    assert AMOUNTS.decimal(Money("JPY", 500)) == "500"
    assert AMOUNTS.decimal(Money("USD", 5)) == "0.05"
    assert "RUB" not in AMOUNTS.currencies


# --- Before the money ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"amount": money("0.01")},
        {"amount": money(currency="EUR")},
        {"amount": money("-10.00")},
        {"payee": {"merchant_id": "8E7MGXCWTTKK3"}},
        {"custom_id": "pay_2.att_1"},
        {"custom_id": "pay_1"},
        {"custom_id": ""},
    ],
)
def test_an_order_that_asks_for_something_else_is_not_taken(change: dict[str, Any]) -> None:
    changed = answers(order("APPROVED", purchase_units=[unit(**change)]))

    with pytest.raises(BadResponse):
        play(PAYPAL.complete(completion()), changed)


def test_an_order_of_several_parts_is_not_taken() -> None:
    changed = answers(order("APPROVED", purchase_units=[unit(), unit()]))

    with pytest.raises(BadResponse, match="not the one of this payment"):
        play(PAYPAL.complete(completion()), changed)


def test_another_order_than_the_one_asked_about_is_not_taken() -> None:
    with pytest.raises(BadResponse):
        play(PAYPAL.complete(completion()), answers(order("APPROVED", id="9X1")))


def test_a_page_of_the_other_mode_or_of_somebody_else_is_not_shown() -> None:
    for href in (
        f"https://www.paypal.com/checkoutnow?token={ORDER}",
        f"https://www.sandbox.paypal.com.evil.example/checkoutnow?token={ORDER}",
        f"http://www.sandbox.paypal.com/checkoutnow?token={ORDER}",
    ):
        body = order("PAYER_ACTION_REQUIRED", links=[{"rel": "payer-action", "href": href}])
        with pytest.raises(BadResponse):
            play(PAYPAL.charge(charge()), answers(body, 201))


# --- What was taken -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("COMPLETED", Approved),
        ("REFUNDED", Approved),
        ("PARTIALLY_REFUNDED", Approved),
        ("PENDING", Pending),
        ("DECLINED", Declined),
        ("FAILED", Declined),
    ],
)
def test_the_capture_decides_and_not_the_order(status: str, outcome: type) -> None:
    body = order("COMPLETED", {"captures": [captured(status)]})

    found = play(PAYPAL.complete(completion()), APPROVED, answers(body, 201)).outcome

    assert isinstance(found, outcome)


def test_a_capture_that_succeeded_counts_though_another_was_declined() -> None:
    made = [captured("DECLINED", id="1XX"), captured()]
    body = order("COMPLETED", {"captures": made})

    found = play(PAYPAL.complete(completion()), answers(body)).outcome

    assert isinstance(found, Approved)
    assert [each.movement_id for each in found.movements] == [CAPTURE]


def test_what_was_captured_is_reported_as_it_is() -> None:
    body = order("COMPLETED", {"captures": [captured(amount=money("9.00"))]})

    found = play(PAYPAL.complete(completion()), APPROVED, answers(body, 201)).outcome

    assert isinstance(found, Approved)
    assert [each.amount for each in found.movements] == [Money("USD", 900)]


def test_an_order_that_was_captured_before_is_looked_at() -> None:
    played = play(
        PAYPAL.complete(completion()),
        APPROVED,
        refuses("ORDER_ALREADY_CAPTURED"),
        answers(order("COMPLETED", {"captures": [captured()]})),
    )

    assert isinstance(played.outcome, Approved)
    assert played.notes == [ORDER]


@pytest.mark.parametrize(
    ("issue", "final"), [("INSTRUMENT_DECLINED", False), ("TRANSACTION_REFUSED", True)]
)
def test_a_decline_says_whether_the_payer_can_choose_again(issue: str, *, final: bool) -> None:
    found = play(PAYPAL.complete(completion()), APPROVED, refuses(issue)).outcome

    assert isinstance(found, Declined)
    assert (found.final, found.raw_code) == (final, issue)


@pytest.mark.parametrize("issue", sorted(DECLINES))
def test_every_decline_keeps_its_code(issue: str) -> None:
    found = play(PAYPAL.complete(completion()), APPROVED, refuses(issue)).outcome

    assert isinstance(found, Declined)
    assert found.raw_code == issue
    assert isinstance(found.code, DeclineCode)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (refuses("ORDER_NOT_APPROVED"), ActionRequired),
        (refuses("PAYER_ACTION_REQUIRED"), ActionRequired),
        (refuses("ORDER_COMPLETION_IN_PROGRESS"), Unknown),
        (refuses("A_CODE_OF_TOMORROW"), Unknown),
        (refuses("PREVIOUS_REQUEST_IN_PROGRESS", 409, "RESOURCE_CONFLICT"), Unknown),
        (refuses("", 429, "RATE_LIMIT_REACHED"), Unknown),
        (refuses("", 500, "INTERNAL_SERVER_ERROR"), Unknown),
        (refuses("", 503, "SERVICE_UNAVAILABLE"), Unknown),
        (refuses("PAYEE_ACCOUNT_RESTRICTED"), Rejected),
        (refuses("", 401, "AUTHENTICATION_FAILURE"), Rejected),
        (refuses("PERMISSION_DENIED", 403, "NOT_AUTHORIZED"), Rejected),
        (answers({"error": "invalid_token"}, 401), Rejected),
    ],
)
def test_after_the_money_request_only_a_certain_refusal_is_one(
    answer: Response, outcome: type
) -> None:
    found = play(PAYPAL.complete(completion()), APPROVED, answer).outcome

    assert isinstance(found, outcome)
    assert not isinstance(found, Unknown | Rejected) or found.reference == ORDER


@pytest.mark.parametrize("status", [200, 201, 400, 422, 502])
def test_a_page_of_html_decides_nothing(status: int) -> None:
    html = Response(status=status, body=b"<html><body>Bad gateway</body></html>")

    with pytest.raises(BadResponse):
        play(PAYPAL.complete(completion()), APPROVED, html)


def test_a_lost_answer_is_thrown_through() -> None:
    with pytest.raises(NoResponse):
        play(PAYPAL.complete(completion()), APPROVED, NoResponse("it broke"))


def test_the_debug_id_goes_into_the_message() -> None:
    found = play(PAYPAL.complete(completion()), refuses("", 403, "NOT_AUTHORIZED")).outcome

    assert isinstance(found, Rejected)
    assert "debug id d7" in found.message


@pytest.mark.parametrize("issue", sorted(CAUSES))
def test_no_known_refusal_is_unknown_or_declined(issue: str) -> None:
    # What was done before leads to a look at the order, which is not captured.
    answered = [APPROVED, refuses(issue)]
    looks = issue in ("ORDER_ALREADY_CAPTURED", "DUPLICATE_INVOICE_ID")
    looks = looks or issue.startswith(("PREVIOUSLY", "AUTHORIZATION_ALREADY", "CAPTURE_FULLY"))
    looks = looks or issue in ("ORDER_ALREADY_AUTHORIZED", "ORDER_COMPLETED_OR_VOIDED")
    found = play(PAYPAL.complete(completion()), *answered, *([APPROVED] if looks else [])).outcome

    assert isinstance(found, Rejected)
    assert (found.cause, found.retryable) == CAUSES[issue]


# --- A stored wallet ----------------------------------------------------------------------


def test_a_stored_wallet_is_charged_only_after_its_order_is_noted() -> None:
    created = answers({"id": ORDER, "status": "CREATED"}, 201)
    played = play(PAYPAL.charge(charge(method=STORED)), created, PAID)

    assert isinstance(played.outcome, Approved)
    assert played.notes == [ORDER]
    assert [each.moves_money for each in played.requests] == [False, True]
    assert b"nkq2y9g" in played.requests[1].body
    assert b"nkq2y9g" not in played.requests[0].body


@pytest.mark.parametrize("operation", [Operation.CHARGE, Operation.AUTHORIZE])
def test_an_order_that_no_wallet_paid_is_not_found(operation: Operation) -> None:
    body = order("CREATED", purchase_units=[unit(reference_id="stored")])

    found = play(PAYPAL.look_up(inquiry(operation)), answers(body)).outcome

    assert found == NotFound()


def test_an_order_that_waits_for_us_is_not_found_by_its_completion_alone() -> None:
    waits = play(PAYPAL.look_up(inquiry(Operation.CHARGE)), APPROVED).outcome
    lost = play(PAYPAL.look_up(inquiry(Operation.COMPLETE)), APPROVED).outcome

    assert isinstance(waits, Unknown)
    assert lost == NotFound()


# --- Holds --------------------------------------------------------------------------------


def of_hold(status: str, *captures: dict[str, Any], **given: Any) -> Response:
    made: dict[str, Any] = {"authorizations": [held(status, **given)]}
    if captures:
        made["captures"] = list(captures)
    return answers(order("COMPLETED", made, intent="AUTHORIZE"))


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (of_hold("CREATED"), Authorized),
        (of_hold("PARTIALLY_CAPTURED", captured()), Authorized),
        (of_hold("PENDING"), Pending),
        (of_hold("DENIED"), Declined),
        (of_hold("VOIDED"), Ended),
        (of_hold("CAPTURED", captured()), Approved),
        (of_hold("VOIDED", captured()), Approved),
    ],
)
def test_what_is_held_is_found_as_it_stands(answer: Response, outcome: type) -> None:
    found = play(PAYPAL.look_up(inquiry(Operation.AUTHORIZE)), answer).outcome

    assert isinstance(found, outcome)
    if isinstance(found, Approved):
        assert [each.kind for each in found.movements] == [MovementKind.CAPTURE]


@pytest.mark.parametrize(
    ("code", "advice"),
    [("01", Advice.UPDATE), ("02", None), ("03", Advice.NEVER), ("21", Advice.REVOKED)],
)
def test_a_denied_card_comes_with_the_advice_of_its_network(
    code: str, advice: Advice | None
) -> None:
    denied = of_hold("DENIED", processor_response={"payment_advice_code": code})

    found = play(PAYPAL.look_up(inquiry(Operation.AUTHORIZE)), denied).outcome

    assert isinstance(found, Declined)
    assert found.advice is advice


def test_what_was_captured_cannot_be_captured_or_released_again() -> None:
    gone = of_hold("CAPTURED", captured())
    voiding = Voiding(key="k7", our_ref="att_1", payment="pay_1", reference=ORDER, amount=TEN)

    for dialogue in (PAYPAL.capture(capture()), PAYPAL.void(voiding)):
        found = play(dialogue, gone).outcome
        assert isinstance(found, Rejected)
        assert found.cause is RejectCause.STATE


# --- Withdrawn pages and refunds ----------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (answers(order("PAYER_ACTION_REQUIRED")), Approved),
        (APPROVED, Approved),
        (answers(order("VOIDED")), Ended),
        (answers(order("COMPLETED", {"captures": [captured()]})), Approved),
        (answers(order("COMPLETED", {"captures": [captured("PENDING")]})), Pending),
        (refuses("INVALID_RESOURCE_ID", 404, "RESOURCE_NOT_FOUND"), Ended),
    ],
)
def test_a_page_is_withdrawn_unless_it_was_taken(answer: Response, outcome: type) -> None:
    withdrawal = Withdrawal(key="k7", our_ref="att_1", payment="pay_1", reference=ORDER)

    found = play(PAYPAL.withdraw(withdrawal), answer).outcome

    assert isinstance(found, outcome)


def test_a_refund_is_found_among_those_of_its_order() -> None:
    made = [refunded(id="9X", custom_id="pay_1.att_9"), refunded(custom_id="pay_1.att_1")]
    body = order("COMPLETED", {"captures": [captured()], "refunds": made})
    asked = inquiry(Operation.REFUND, parent_reference=ORDER)

    found = play(PAYPAL.look_up(asked), answers(body)).outcome

    assert isinstance(found, Approved)
    assert found.reference == refunded()["id"]


def test_a_refund_carries_the_ids_by_which_it_is_found() -> None:
    [request] = play(PAYPAL.refund(refunding()), answers(refunded(), 201)).requests

    body = json.loads(request.body)
    assert (body["custom_id"], body["invoice_id"]) == ("pay_1.att_1", "att_1")


def test_a_payment_without_a_capture_cannot_be_refunded() -> None:
    with pytest.raises(Unsupported, match="refunds a capture"):
        PAYPAL.refund(refunding(movement_id="ch_1"))


# --- Settings -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"merchant_id": "7E7M"}, "merchant_id"),
        ({"webhook_id": "WEBHOOK_ID"}, "webhook_id"),
        ({"live": True}, "for tests"),
        ({"live": True, "webhook_authorities": "", "api_base": "https://x.example"}, "for tests"),
        ({"api_base": "http://x.example"}, "api_base"),
        ({"client_secret": " a"}, "space"),
        ({"minimum": {"RUB": "1"}}, "RUB"),
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, Any], match: str) -> None:
    facts = {
        "client_id": "AZDxjDScFpQtjWTOUtWKbyN",
        "client_secret": "EGnHDxD",
        "merchant_id": "7E7MGXCWTTKK2",
        "webhook_authorities": settings().webhook_authorities,
        **given,
    }

    with pytest.raises(InvalidSettings, match=match):
        make(type(PAYPAL), "paypal", facts)


def test_a_live_account_and_one_of_the_sandbox_are_two_addresses() -> None:
    live = paypal(live=True, webhook_authorities="")

    request = next(live.charge(charge()))

    assert isinstance(request, Request)
    assert request.url == "https://api-m.paypal.com/v2/checkout/orders"
    assert live.traits.live
    assert not PAYPAL.traits.live


def test_a_wallet_can_be_on_automatic_payment_only_if_it_may_be_stored() -> None:
    stores, not_ = paypal().traits.rails[Kind.REDIRECT], paypal(vault=False).traits
    plain = not_.rails[Kind.REDIRECT]

    assert (stores.payer_present, plain.payer_present) == (False, True)
    assert StoredToken in stores.methods
    assert not plain.methods
    assert not not_.offers(Kind.REDIRECT, Operation.ENROLL)


def test_an_account_without_the_webhook_of_its_settings_is_noticed() -> None:
    other = answers({"webhooks": [{"id": "0AB12345CD678901E"}]})

    with pytest.raises(BadResponse, match="webhook_id names no webhook"):
        play(PAYPAL.check(), other)


def test_the_report_of_another_account_is_noticed() -> None:
    hooks = answers({"webhooks": [{"id": WEBHOOK_ID}]})
    gateway = paypal(reports=True)

    with pytest.raises(BadResponse, match="another merchant"):
        play(gateway.check(), hooks, answers({"account_id": "8E7MGXCWTTKK3"}))
    ours = gateway.traits.merchant_account
    facts = play(gateway.check(), hooks, answers({"account_id": ours})).outcome
    assert facts.merchant_account == ours
