"""Finding out what became of a charge whose answer was lost."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from paygate.domain.kind import Operation
from paygate.domain.money import Money
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import (
    Approved,
    Authorized,
    DeclineCode,
    Declined,
    Ended,
    Ending,
    NotFound,
    Pending,
    Unknown,
)
from paygate.drivers.authorize_net import AuthorizeNet, lists
from paygate.drivers.authorize_net.fields import order_number
from paygate.errors import BadResponse
from paygate.testing.play import play
from tests.drivers.authorize_net.conftest import (
    BANK,
    SENT_AT,
    T,
    answers,
    batch,
    batches,
    details,
    entry,
    error,
    in_batch,
    inquiry,
    refuses,
    sent,
    settings,
    unsettled,
    usd,
)

ORDER = order_number("k7")
OURS = entry("capturedPendingSettlement", invoiceNumber=ORDER)
TAKEN = details("capturedPendingSettlement", order=ORDER)
SETTLED = {
    "batchId": "1",
    "settlementTimeUTC": "2026-11-02T16:38:54.52Z",
    "settlementTimeLocal": "2026-11-02T09:38:54.52",
    "settlementState": "settledSuccessfully",
}


def steps(*names: str) -> list[str]:
    return [f"{name}Request" for name in names]


def asked_of(requests: list[Any]) -> list[str]:
    return [next(iter(sent(request))) for request in requests]


# --- The search --------------------------------------------------------------------------


def test_it_is_found_among_what_has_not_settled(net: AuthorizeNet) -> None:
    played = play(net.look_up(inquiry()), unsettled(entry("declined"), OURS), TAKEN)

    assert asked_of(played.requests) == steps(
        "getUnsettledTransactionList", "getTransactionDetails"
    )
    assert not any(request.moves_money for request in played.requests)
    assert all(request.repeatable for request in played.requests)
    assert isinstance(played.outcome, Approved)
    (movement,) = played.outcome.movements
    assert (movement.movement_id, movement.amount) == (T, usd("12.50"))
    assert movement.effective == datetime(2026, 11, 2, 12, 0, 1, 390000, tzinfo=UTC)


def test_the_unsettled_are_asked_for_newest_first(net: AuthorizeNet) -> None:
    request = play(net.look_up(inquiry()), unsettled(OURS), TAKEN).requests[0]

    told = sent(request)["getUnsettledTransactionListRequest"]
    assert told["status"] == "any"
    assert told["sorting"] == {"orderBy": "submitTimeUTC", "orderDescending": "true"}
    assert told["paging"] == {"limit": "1000", "offset": "1"}


def test_pages_are_read_until_they_are_too_old(
    net: AuthorizeNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "PAGE", 2)
    young = entry("declined", submitTimeUTC="2026-11-02T12:30:00Z")
    old = entry("declined", submitTimeUTC="2026-11-02T11:57:59Z")

    played = play(net.look_up(inquiry()), unsettled(young, young), unsettled(young, old), batches())

    assert played.outcome == NotFound()
    offsets = [
        sent(request)["getUnsettledTransactionListRequest"]["paging"]["offset"]
        for request in played.requests[:2]
    ]
    assert offsets == ["1", "2"]


def test_a_batch_too_long_to_read_to_its_end_finds_nothing_out(
    net: AuthorizeNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "PAGE", 1)
    monkeypatch.setattr(lists, "PAGES_MAX", 1)
    another = entry("settledSuccessfully", invoiceNumber="another")

    with pytest.raises(BadResponse, match="too many transactions"):
        play(net.look_up(inquiry()), unsettled(), batches(batch("7")), in_batch(another))


def test_what_settled_meanwhile_is_found_in_its_batch(net: AuthorizeNet) -> None:
    played = play(
        net.look_up(inquiry()),
        unsettled(entry("declined")),
        batches(batch("7"), batch("8")),
        in_batch(entry("settledSuccessfully", invoiceNumber="another")),
        in_batch(entry("settledSuccessfully", invoiceNumber=ORDER)),
        details("settledSuccessfully", batch=SETTLED),
    )

    assert asked_of(played.requests) == steps(
        "getUnsettledTransactionList",
        "getSettledBatchList",
        "getTransactionList",
        "getTransactionList",
        "getTransactionDetails",
    )
    period = sent(played.requests[1])["getSettledBatchListRequest"]
    assert period["firstSettlementDate"] == "2026-11-02T11:58:00Z"
    assert period["lastSettlementDate"] == "2026-11-02T13:00:00Z"
    assert isinstance(played.outcome, Approved)
    assert played.outcome.movements[0].settled == usd("12.50")


def test_a_long_time_is_asked_for_a_month_at_a_time(net: AuthorizeNet) -> None:
    asked = inquiry(sent_at=SENT_AT - timedelta(days=40))

    played = play(net.look_up(asked), unsettled(), batches(), batches())

    periods = [sent(request)["getSettledBatchListRequest"] for request in played.requests[1:]]
    assert periods[0]["lastSettlementDate"] == periods[1]["firstSettlementDate"]
    assert periods[1]["lastSettlementDate"] == "2026-11-02T13:00:00Z"


@pytest.mark.parametrize("reply", [refuses("I00004"), unsettled()])
def test_nothing_at_all_is_not_found(net: AuthorizeNet, reply: Any) -> None:
    assert play(net.look_up(inquiry()), reply, batches()).outcome == NotFound()


def test_of_two_of_one_name_the_one_that_got_further_counts(net: AuthorizeNet) -> None:
    declined = entry("declined", transId="1", invoiceNumber=ORDER)

    played = play(net.look_up(inquiry()), unsettled(declined, OURS, declined), TAKEN)

    assert sent(played.requests[1])["getTransactionDetailsRequest"]["transId"] == T


def test_a_form_is_found_by_its_own_name(net: AuthorizeNet) -> None:
    reference = order_number("another-key")
    theirs = entry("capturedPendingSettlement", invoiceNumber=reference)

    played = play(net.look_up(inquiry(reference=reference)), unsettled(OURS, theirs), TAKEN)

    assert isinstance(played.outcome, Approved)


@pytest.mark.parametrize(
    "reply",
    [
        refuses("E00011", "Access denied."),
        answers("getUnsettledTransactionListResponse", {"messages": error("E00053")}),
    ],
)
def test_a_refused_inquiry_finds_nothing_out(net: AuthorizeNet, reply: Any) -> None:
    with pytest.raises(BadResponse, match="did not answer the inquiry"):
        play(net.look_up(inquiry()), reply)


def test_what_they_named_and_do_not_know_is_another_accounts(net: AuthorizeNet) -> None:
    with pytest.raises(BadResponse, match="another account"):
        play(net.look_up(inquiry(reference=T)), refuses("E00040"))


def test_the_details_of_another_transaction_are_not_believed(net: AuthorizeNet) -> None:
    with pytest.raises(BadResponse, match="another transaction"):
        play(net.look_up(inquiry(reference=T)), details("voided", transId="1"))


# --- What its state means ------------------------------------------------------------------

MEANING: list[tuple[str, Any]] = [
    ("capturedPendingSettlement", Approved),
    ("pendingSettlement", Approved),
    ("pendingFinalSettlement", Approved),
    ("updatingSettlement", Approved),
    ("settledSuccessfully", Approved),
    ("returnedItem", Approved),
    ("chargeback", Approved),
    ("chargebackReversal", Approved),
    ("FDSPendingReview", Pending),
    ("FDSAuthorizedPendingReview", Pending),
    ("underReview", Pending),
    ("approvedReview", Pending),
    ("declined", Declined),
    ("generalError", Declined),
    ("communicationError", Declined),
    ("failedReview", Declined),
    ("expired", Ended),
    ("voided", Approved),
    ("authorizedPendingCapture", Unknown),
    ("authorizedPendingRelease", Unknown),
    ("settlementError", Declined),
    ("couldNotVoid", Unknown),
    ("somethingNew", Unknown),
]


@pytest.mark.parametrize(("status", "type_"), MEANING)
def test_every_state_of_a_charge_means_something(
    net: AuthorizeNet, status: str, type_: type[object]
) -> None:
    finding = play(net.look_up(inquiry(reference=T)), details(status, reason="2")).outcome

    assert type(finding) is type_


def test_every_state_of_the_schema_is_in_the_table() -> None:
    told = {status for status, _ in MEANING}

    assert len(told) == 23
    assert {"refundSettledSuccessfully", "refundPendingSettlement"}.isdisjoint(told)


@pytest.mark.parametrize(
    ("status", "type_"),
    [
        ("authorizedPendingCapture", Authorized),
        ("capturedPendingSettlement", Approved),
        ("voided", Ended),
        ("expired", Ended),
    ],
)
def test_a_hold_is_told_as_what_became_of_it(
    net: AuthorizeNet, status: str, type_: type[object]
) -> None:
    asked = inquiry(operation=Operation.AUTHORIZE, reference=T)

    finding = play(net.look_up(asked), details(status)).outcome

    assert type(finding) is type_
    if isinstance(finding, Approved):
        assert finding.movements[0].kind is MovementKind.CAPTURE
    if isinstance(finding, Ended):
        assert finding.how is (Ending.EXPIRED if status == "expired" else Ending.CANCELED)


def test_a_decline_is_told_with_its_reason(net: AuthorizeNet) -> None:
    finding = play(net.look_up(inquiry(reference=T)), details("declined", reason="27")).outcome

    assert isinstance(finding, Declined)
    assert (finding.code, finding.raw_code) == (DeclineCode.INVALID_ADDRESS, "27")


def test_what_was_voided_elsewhere_came_and_went(net: AuthorizeNet) -> None:
    finding = play(
        net.look_up(inquiry(reference=T)), details("voided", settleAmount="0.00")
    ).outcome

    assert isinstance(finding, Approved)
    assert [(one.kind, one.amount) for one in finding.movements] == [
        (MovementKind.CHARGE, usd("12.50")),
        (MovementKind.VOID, usd("12.50")),
    ]


@pytest.mark.parametrize(
    ("status", "settled"),
    [
        ("capturedPendingSettlement", None),
        ("settledSuccessfully", usd("12.50")),
        ("returnedItem", usd("12.50")),
    ],
)
def test_what_has_settled_is_told_with_its_day(
    net: AuthorizeNet, status: str, settled: Money | None
) -> None:
    told = details(status, payment=BANK, batch=SETTLED)

    finding = play(net.look_up(inquiry(reference=T)), told).outcome

    assert isinstance(finding, Approved)
    came = finding.movements[0]
    assert came.settled == settled
    assert came.settled_on == (None if settled is None else date(2026, 11, 2))


def returned(code: str, id_: str = "60012345999") -> dict[str, str]:
    return {
        "id": id_,
        "dateUTC": "2026-11-06T10:00:00Z",
        "dateLocal": "2026-11-06T03:00:00",
        "code": code,
        "description": "Told by the bank",
    }


def test_a_returned_e_check_is_told_with_its_code(net: AuthorizeNet) -> None:
    told = details("returnedItem", payment=BANK, returnedItems={"returnedItem": returned("R01")})

    finding = play(net.look_up(inquiry(reference=T)), told).outcome

    assert isinstance(finding, Approved)
    came, back = finding.movements
    assert (came.kind, came.movement_id) == (MovementKind.CHARGE, T)
    assert (back.kind, back.movement_id, back.undoes) == (MovementKind.RETURN, "60012345999", T)
    assert (back.code, back.amount, back.effective) == ("R01", usd("12.50"), date(2026, 11, 6))


def test_a_notice_of_change_takes_nothing_back(net: AuthorizeNet) -> None:
    told = details(
        "settledSuccessfully", payment=BANK, returnedItems={"returnedItem": returned("C01")}
    )

    finding = play(net.look_up(inquiry(reference=T)), told).outcome

    assert isinstance(finding, Approved)
    assert [one.kind for one in finding.movements] == [MovementKind.CHARGE]


@pytest.mark.parametrize("status", ["capturedPendingSettlement", "settledSuccessfully"])
def test_another_amount_than_was_asked_for_proves_nothing(net: AuthorizeNet, status: str) -> None:
    told = details(status, order=ORDER, authAmount="90.00", settleAmount="90.00")

    finding = play(net.look_up(inquiry()), unsettled(OURS), told).outcome

    assert isinstance(finding, Unknown)
    assert "90.00 USD, and 12.50 USD was asked for" in finding.reason


def test_another_amount_than_was_to_be_held_proves_nothing(net: AuthorizeNet) -> None:
    asked = inquiry(operation=Operation.AUTHORIZE, reference=T)
    told = details("authorizedPendingCapture", authAmount="21.00")

    assert isinstance(play(net.look_up(asked), told).outcome, Unknown)


def test_a_part_is_found_if_the_account_takes_parts() -> None:
    net = AuthorizeNet(settings(partial_approvals=True))
    told = details("capturedPendingSettlement", authAmount="4.00", settleAmount="4.00")

    finding = play(net.look_up(inquiry(reference=T)), told).outcome

    assert isinstance(finding, Approved)
    assert finding.movements[0].amount == usd("4.00")


def test_what_was_approved_and_could_not_be_settled_ended_badly(net: AuthorizeNet) -> None:
    finding = play(net.look_up(inquiry(reference=T)), details("settlementError")).outcome

    assert isinstance(finding, Declined)
    assert (finding.raw_code, finding.retryable, finding.final) == ("settlementError", False, True)


CHARGED = (MovementKind.CHARGE, T)
TAKING, GIVING = MovementKind.CHARGEBACK, MovementKind.CHARGEBACK_WON


@pytest.mark.parametrize(
    ("status", "booked", "told"),
    [
        ("chargeback", [], [(TAKING, T)]),
        ("chargeback", [(TAKING, T)], [(TAKING, T)]),
        ("chargebackReversal", [(TAKING, T)], [(TAKING, T), (GIVING, T)]),
        (
            "chargeback",
            [(TAKING, T), (GIVING, T)],
            [(TAKING, T), (GIVING, T), (TAKING, f"{T}#2")],
        ),
        (
            "chargeback",
            [(TAKING, T), (GIVING, T), (TAKING, f"{T}#2")],
            [(TAKING, T), (GIVING, T), (TAKING, f"{T}#2")],
        ),
        (
            "chargebackReversal",
            [(TAKING, T), (GIVING, T), (TAKING, f"{T}#2")],
            [(TAKING, T), (GIVING, T), (TAKING, f"{T}#2"), (GIVING, f"{T}#2")],
        ),
    ],
)
def test_each_turn_of_a_dispute_is_a_movement_of_its_own(
    net: AuthorizeNet, status: str, booked: Any, told: Any
) -> None:
    asked = inquiry(reference=T, booked=frozenset({CHARGED, *booked}))

    finding = play(net.look_up(asked), details(status, batch=SETTLED)).outcome

    assert isinstance(finding, Approved)
    came, *disputed = finding.movements
    assert came.kind is MovementKind.CHARGE
    assert [(each.kind, each.movement_id) for each in disputed] == told
    assert all(each.amount == usd("12.50") for each in disputed)
    undone = {TAKING: T, GIVING: disputed[-1].movement_id}
    assert disputed[-1].undoes == undone[disputed[-1].kind]


def test_a_capture_that_was_voided_elsewhere_went_again_if_it_is_booked(net: AuthorizeNet) -> None:
    booked = frozenset({(MovementKind.CAPTURE, T)})
    asked = inquiry(operation=Operation.CAPTURE, reference=T, amount=usd("9.00"), booked=booked)

    finding = play(net.look_up(asked), details("voided", settleAmount="0.00")).outcome

    assert isinstance(finding, Approved)
    assert [(one.kind, one.amount) for one in finding.movements] == [
        (MovementKind.CAPTURE, usd("9.00")),
        (MovementKind.VOID, usd("9.00")),
    ]


def test_a_dispute_that_was_won_is_both(net: AuthorizeNet) -> None:
    finding = play(net.look_up(inquiry(reference=T)), details("chargebackReversal")).outcome

    assert isinstance(finding, Approved)
    assert [one.kind for one in finding.movements] == [
        MovementKind.CHARGE,
        MovementKind.CHARGEBACK,
        MovementKind.CHARGEBACK_WON,
    ]


@pytest.mark.parametrize(
    "told",
    [
        details("settledSuccessfully", settleAmount="0.00"),
        details("settledSuccessfully", settleAmount="nothing"),
        details("settledSuccessfully", settleAmount="1.005"),
        details("refundSettledSuccessfully"),
        details("returnedItem", returnedItems={"returnedItem": returned("R01", id_="")}),
    ],
)
def test_what_cannot_be_is_not_believed(net: AuthorizeNet, told: Any) -> None:
    with pytest.raises(BadResponse):
        play(net.look_up(inquiry(reference=T)), told)


def test_nothing_is_asked_where_nothing_was_sent(net: AuthorizeNet) -> None:
    for operation in (Operation.CAPTURE, Operation.VOID, Operation.ENROLL, Operation.FORGET):
        asked = inquiry(operation=operation)

        assert play(net.look_up(asked)).outcome == NotFound()
