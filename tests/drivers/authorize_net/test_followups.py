"""What follows a charge at Authorize.Net: capture, void, refund."""

from typing import Any

import pytest

from paygate.domain.kind import Operation
from paygate.domain.money import Money
from paygate.domain.movement import Movement, MovementKind
from paygate.domain.outcome import (
    Approved,
    Declined,
    Ended,
    Ending,
    NotFound,
    RejectCause,
    Rejected,
    Unknown,
)
from paygate.drivers.authorize_net import AuthorizeNet
from paygate.drivers.authorize_net.fields import order_number
from paygate.errors import NoResponse, UsageError
from paygate.gateway import Capture, Refunding, Voiding
from paygate.testing.play import play
from tests.drivers.authorize_net.conftest import (
    BANK,
    T,
    batches,
    body_of,
    details,
    entry,
    inquiry,
    made,
    refuses,
    unsettled,
    usd,
)

R = "60012345699"


def capture(**given: Any) -> Capture:
    return Capture(
        **{
            "key": "k-capture",
            "our_ref": "att_2",
            "payment": "pay_1",
            "reference": T,
            "amount": usd("10.00"),
            **given,
        }
    )


def voiding(**given: Any) -> Voiding:
    return Voiding(
        **{
            "key": "k-void",
            "our_ref": "att_3",
            "payment": "pay_1",
            "reference": T,
            "amount": usd("12.50"),
            **given,
        }
    )


def refunding(**given: Any) -> Refunding:
    return Refunding(
        **{
            "key": "k-refund",
            "our_ref": "att_4",
            "payment": "pay_1",
            "reference": T,
            "movement_id": T,
            "amount": usd("5.00"),
            **given,
        }
    )


# --- Capture -----------------------------------------------------------------------------


def test_a_part_of_what_is_held_is_taken(net: AuthorizeNet) -> None:
    played = play(net.capture(capture()), made())

    (request,) = played.requests
    assert request.moves_money
    assert body_of(request) == {
        "transactionType": "priorAuthCaptureTransaction",
        "amount": "10.00",
        "refTransId": T,
    }
    assert played.notes == [T]
    taken = Movement(movement_id=T, amount=usd("10.00"), kind=MovementKind.CAPTURE)
    assert played.outcome == Approved(reference=T, movements=(taken,))


def test_what_was_captured_before_is_told_as_it_is(net: AuthorizeNet) -> None:
    outcome = play(
        net.capture(capture()),
        made("1", "311"),
        details("capturedPendingSettlement", settleAmount="9.00"),
    ).outcome

    assert isinstance(outcome, Approved)
    assert outcome.movements[0].amount == usd("9.00")


def test_more_than_is_held_is_refused(net: AuthorizeNet) -> None:
    outcome = play(net.capture(capture()), made("3", "47", transId="0")).outcome

    assert isinstance(outcome, Rejected)
    assert (outcome.cause, outcome.raw_code) == (RejectCause.STATE, "47")


@pytest.mark.parametrize(
    "given", [{"final": False}, {"amount": Money.of("EUR", "1.00")}, {"reference": "pi_1"}]
)
def test_what_it_cannot_capture_is_refused_at_once(
    net: AuthorizeNet, given: dict[str, Any]
) -> None:
    with pytest.raises(UsageError):
        net.capture(capture(**given))


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("authorizedPendingCapture", NotFound),
        ("capturedPendingSettlement", Approved),
        ("settledSuccessfully", Approved),
        ("voided", Ended),
        ("expired", Ended),
        ("settlementError", Declined),
        ("couldNotVoid", Unknown),
    ],
)
def test_a_capture_shows_in_what_it_captured(
    net: AuthorizeNet, status: str, found: type[object]
) -> None:
    asked = inquiry(operation=Operation.CAPTURE, reference=T, amount=usd("10.00"))

    finding = play(net.look_up(asked), details(status, settleAmount="10.00")).outcome

    assert type(finding) is found
    if isinstance(finding, Approved):
        assert finding.movements[0].kind is MovementKind.CAPTURE
        assert finding.movements[0].amount == usd("10.00")


def test_a_capture_without_a_name_is_looked_for_in_what_it_captures(net: AuthorizeNet) -> None:
    asked = inquiry(operation=Operation.CAPTURE, parent_reference=T, amount=usd("10.00"))

    held = play(net.look_up(asked), details("authorizedPendingCapture")).outcome
    taken = play(net.look_up(asked), details("settledSuccessfully", settleAmount="10.00")).outcome

    assert not isinstance(held, Approved)
    assert isinstance(taken, Approved)
    assert taken.movements[0].kind is MovementKind.CAPTURE


# --- Void --------------------------------------------------------------------------------


def test_a_charge_is_undone_and_its_money_goes_out_again(net: AuthorizeNet) -> None:
    played = play(net.void(voiding()), details("capturedPendingSettlement"), made())

    look, void = played.requests
    assert (look.moves_money, void.moves_money) == (False, True)
    assert body_of(void) == {"transactionType": "voidTransaction", "refTransId": T}
    assert played.notes == [f"void-{T}-1250"]
    assert played.outcome == Approved(
        reference=f"void-{T}-1250",
        movements=(Movement(movement_id=T, amount=usd("12.50"), kind=MovementKind.VOID, undoes=T),),
    )


def test_what_is_only_held_is_released_without_money(net: AuthorizeNet) -> None:
    outcome = play(
        net.void(voiding()), details("authorizedPendingCapture"), made("1", "310")
    ).outcome

    assert outcome == Approved(reference=f"void-{T}-0")


@pytest.mark.parametrize(
    ("kind", "minor"), [("authCaptureTransaction", 1250), ("authOnlyTransaction", 0)]
)
def test_what_somebody_voided_before_us_goes_out_as_well(
    net: AuthorizeNet, kind: str, minor: int
) -> None:
    voided = details("voided", kind=kind, settleAmount="0.00")

    outcome = play(net.void(voiding()), voided, made("1", "310")).outcome

    assert isinstance(outcome, Approved)
    assert sum(one.amount.minor for one in outcome.movements) == minor


@pytest.mark.parametrize("status", ["settledSuccessfully", "returnedItem", "chargeback"])
def test_what_has_settled_is_not_voided_and_nothing_is_sent(net: AuthorizeNet, status: str) -> None:
    played = play(net.void(voiding()), details(status))

    assert len(played.requests) == 1
    assert isinstance(played.outcome, Rejected)
    assert (played.outcome.cause, played.outcome.retryable) == (RejectCause.STATE, False)


def test_a_void_that_came_too_late_is_refused(net: AuthorizeNet) -> None:
    outcome = play(
        net.void(voiding()), details("pendingSettlement"), made("3", "327", transId="0")
    ).outcome

    assert isinstance(outcome, Rejected)
    assert outcome.cause is RejectCause.STATE


def test_a_lost_void_is_found_with_what_it_took_back(net: AuthorizeNet) -> None:
    dialogue = net.void(voiding())
    with pytest.raises(NoResponse):
        play(dialogue, details("capturedPendingSettlement"), NoResponse("lost"))
    asked = inquiry(operation=Operation.VOID, reference=f"void-{T}-1250")

    finding = play(net.look_up(asked), details("voided", settleAmount="0.00")).outcome

    assert isinstance(finding, Approved)
    assert [(one.kind, one.amount) for one in finding.movements] == [
        (MovementKind.VOID, usd("12.50"))
    ]


@pytest.mark.parametrize("reference", [f"void-{T}-1250", "void-x-1", "", "else"])
def test_a_void_that_did_not_happen_is_not_found(net: AuthorizeNet, reference: str) -> None:
    asked = inquiry(operation=Operation.VOID, reference=reference)
    replies = [details("capturedPendingSettlement")] if T in reference else []

    assert play(net.look_up(asked), *replies).outcome == NotFound()


# --- Refund ------------------------------------------------------------------------------


def test_money_goes_back_to_the_card_it_came_from(net: AuthorizeNet) -> None:
    played = play(
        net.refund(refunding(reason="too much")), details("settledSuccessfully"), made(transId=R)
    )

    look, refund = played.requests
    assert (look.moves_money, refund.moves_money) == (False, True)
    told = body_of(refund)
    settings = told.pop("transactionSettings")
    assert settings["setting"] == {"settingName": "duplicateWindow", "settingValue": "28800"}
    assert told == {
        "transactionType": "refundTransaction",
        "amount": "5.00",
        "currencyCode": "USD",
        "payment": {"creditCard": {"cardNumber": "1111", "expirationDate": "XXXX"}},
        "refTransId": T,
        "order": {"invoiceNumber": order_number("k-refund"), "description": "too much"},
    }
    back = Movement(movement_id=R, amount=usd("5.00"), kind=MovementKind.REFUND, undoes=T)
    assert played.outcome == Approved(reference=R, movements=(back,))


def test_money_goes_back_to_the_bank_account_it_came_from(net: AuthorizeNet) -> None:
    played = play(
        net.refund(refunding()), details("settledSuccessfully", payment=BANK), made(transId=R)
    )

    assert body_of(played.requests[1])["payment"] == {
        "bankAccount": {
            "accountType": "checking",
            "routingNumber": "XXXX0661",
            "accountNumber": "XXXX6789",
            "nameOnAccount": "Ada Lovelace",
        }
    }


@pytest.mark.parametrize("reason", ["54", "50", "51", "55"])
def test_what_cannot_go_back_is_refused(net: AuthorizeNet, reason: str) -> None:
    outcome = play(
        net.refund(refunding()),
        details("settledSuccessfully"),
        made("3", reason, transId="0"),
    ).outcome

    assert isinstance(outcome, Rejected)
    assert (outcome.cause, outcome.raw_code) == (RejectCause.STATE, reason)


@pytest.mark.parametrize("status", ["capturedPendingSettlement", "pendingFinalSettlement"])
def test_what_has_not_settled_is_not_refunded_and_nothing_is_sent(
    net: AuthorizeNet, status: str
) -> None:
    played = play(net.refund(refunding()), details(status))

    assert [request.step for request in played.requests] == ["look_up"]
    assert played.outcome == Rejected(
        cause=RejectCause.STATE,
        retryable=True,
        message="Authorize.Net has not settled the payment yet: cancel it as a whole, or refund "
        "from tomorrow",
    )


def test_a_refund_of_nothing_that_they_know_is_refused(net: AuthorizeNet) -> None:
    outcome = play(net.refund(refunding()), refuses("E00040")).outcome

    assert isinstance(outcome, Rejected)
    assert outcome.cause is RejectCause.STATE


def test_a_repeated_refund_finds_the_first(net: AuthorizeNet) -> None:
    first = details(
        "refundPendingSettlement",
        transId=R,
        refTransId=T,
        kind="refundTransaction",
        order=order_number("k-refund"),
        settleAmount="5.00",
    )

    outcome = play(
        net.refund(refunding()), details("settledSuccessfully"), made("3", "11", transId=R), first
    ).outcome

    assert isinstance(outcome, Approved)
    assert [(one.movement_id, one.undoes, one.amount) for one in outcome.movements] == [
        (R, T, usd("5.00"))
    ]


def test_a_lost_refund_is_found_by_its_own_name(net: AuthorizeNet) -> None:
    asked = inquiry(operation=Operation.REFUND, key="k-refund", amount=usd("5.00"))
    ours = entry("refundPendingSettlement", transId=R, invoiceNumber=order_number("k-refund"))
    told = details(
        "refundPendingSettlement",
        transId=R,
        refTransId=T,
        kind="refundTransaction",
        settleAmount="5.00",
    )

    finding = play(net.look_up(asked), unsettled(entry("declined"), ours), told).outcome

    assert isinstance(finding, Approved)
    assert finding.movements[0].kind is MovementKind.REFUND
    assert finding.movements[0].effective is not None


def test_a_refund_that_never_came_is_not_found(net: AuthorizeNet) -> None:
    asked = inquiry(operation=Operation.REFUND, key="k-refund", amount=usd("5.00"))

    assert play(net.look_up(asked), unsettled(), batches()).outcome == NotFound()


def test_a_refund_that_a_bank_gave_back_failed_after_all(net: AuthorizeNet) -> None:
    item = {
        "id": "60012345999",
        "dateUTC": "2026-11-06T10:00:00Z",
        "dateLocal": "2026-11-06T03:00:00",
        "code": "R03",
        "description": "No account",
    }
    told = details(
        "returnedItem",
        transId=R,
        refTransId=T,
        kind="refundTransaction",
        settleAmount="5.00",
        payment=BANK,
        returnedItems={"returnedItem": item},
    )
    asked = inquiry(operation=Operation.REFUND, reference=R, amount=usd("5.00"))

    finding = play(net.look_up(asked), told).outcome

    assert isinstance(finding, Approved)
    assert [(one.kind, one.movement_id, one.undoes) for one in finding.movements] == [
        (MovementKind.REFUND, R, T),
        (MovementKind.REFUND_FAILED, "60012345999", R),
    ]


@pytest.mark.parametrize(
    ("status", "closed"), [("voided", Ended), ("declined", Declined), ("generalError", Declined)]
)
def test_a_refund_that_ended_otherwise_says_how(
    net: AuthorizeNet, status: str, closed: type[object]
) -> None:
    told = details(status, transId=R, kind="refundTransaction", settleAmount="5.00")
    asked = inquiry(operation=Operation.REFUND, reference=R, amount=usd("5.00"))

    finding = play(net.look_up(asked), told).outcome

    assert type(finding) is closed
    assert not isinstance(finding, Ended) or finding.how is Ending.CANCELED


def test_a_refund_that_is_booked_and_was_voided_came_back(net: AuthorizeNet) -> None:
    told = details("voided", transId=R, refTransId=T, kind="refundTransaction", settleAmount="0.00")
    booked = frozenset({(MovementKind.REFUND, R)})
    asked = inquiry(operation=Operation.REFUND, reference=R, amount=usd("5.00"), booked=booked)

    finding = play(net.look_up(asked), told).outcome

    assert isinstance(finding, Approved)
    assert [(one.kind, one.undoes, one.amount) for one in finding.movements] == [
        (MovementKind.REFUND, T, usd("5.00")),
        (MovementKind.REFUND_FAILED, R, usd("5.00")),
    ]
