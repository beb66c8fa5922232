"""The feed of Authorize.Net: settlements, returned e-checks, chargebacks."""

import json
from typing import Any

import pytest

from paygate.dialogue import Response
from paygate.domain.movement import MovementKind
from paygate.drivers.authorize_net import AuthorizeNet, reports
from paygate.drivers.authorize_net.fields import order_number
from paygate.errors import BadResponse
from paygate.gateway import FeedPage
from paygate.testing.play import Played, play
from tests.drivers.authorize_net.conftest import (
    BANK,
    OK,
    T,
    answers,
    batch,
    batches,
    details,
    entry,
    in_batch,
    sent,
    usd,
)
from tests.drivers.authorize_net.test_look_up import returned

ORDER = order_number("k7")
NEXT_DAY = "Tue, 03 Nov 2026 13:00:00 GMT"
LATER = "Mon, 02 Nov 2026 18:00:00 GMT"
ECHECK = {"accountType": "eCheck", "invoiceNumber": ORDER}
WINDOWS = [batches()] * 13
"""Answers to the sweep of the last 400 days, which are asked for a month at a time."""


def read(net: AuthorizeNet, cursor: str, *replies: Response) -> Played[FeedPage]:
    return play(net.feed(cursor), *replies)


def first_look(net: AuthorizeNet, *found: dict[str, Any]) -> FeedPage:
    """Look around for the first time."""
    return read(net, "", batches(), batches(*found), *WINDOWS).outcome


def test_the_first_look_finds_the_batches_of_a_month(net: AuthorizeNet) -> None:
    played = read(net, "", batches(), batches(batch("8"), batch("7")), *WINDOWS)

    today, month, *sweep = (sent(each)["getSettledBatchListRequest"] for each in played.requests)
    assert "firstSettlementDate" not in today
    assert month["firstSettlementDate"] == "2026-10-02T13:00:00Z"
    assert month["lastSettlementDate"] == "2026-11-02T13:00:00Z"
    assert sweep[0]["firstSettlementDate"] == "2025-09-28T13:00:00Z"
    assert (played.outcome.notices, played.outcome.more) == ((), True)
    assert [plan[0] for plan in json.loads(played.outcome.cursor)["plan"]] == ["7", "8"]


def test_what_settled_is_a_hint(net: AuthorizeNet) -> None:
    look = first_look(net, batch("7"))

    played = read(net, look.cursor, in_batch(entry("settledSuccessfully", **ECHECK)))

    (notice,) = played.outcome.notices
    assert (notice.event_id, notice.reference) == (f"settled-{T}", T)
    assert notice.earlier_reference == ORDER
    assert not played.outcome.more


@pytest.mark.parametrize(
    "told",
    [
        entry("settledSuccessfully", invoiceNumber="SHOP-7"),
        entry("settledSuccessfully"),
        entry("returnedItem", invoiceNumber="SHOP-7", hasReturnedItems="true"),
    ],
)
def test_what_is_not_ours_is_passed_over(net: AuthorizeNet, told: dict[str, Any]) -> None:
    look = first_look(net, batch("7"))

    assert read(net, look.cursor, in_batch(told)).outcome.notices == ()


def test_a_return_is_told_with_its_code_and_its_day(net: AuthorizeNet) -> None:
    look = first_look(net, batch("7"))
    listed = entry("returnedItem", **ECHECK, hasReturnedItems="true")
    told = details("returnedItem", payment=BANK, returnedItems={"returnedItem": returned("R02")})

    page = read(net, look.cursor, in_batch(listed), told).outcome

    _, back = page.notices
    assert back.event_id == "return-60012345999"
    (movement,) = back.movements
    assert (movement.kind, movement.code) == (MovementKind.RETURN, "R02")
    assert (movement.amount, movement.undoes) == (usd("12.50"), T)


def test_a_dispute_is_asked_about_once_a_week(net: AuthorizeNet) -> None:
    """It has no name, and may turn more than once; what its turn is, the books know."""
    look = first_look(net, batch("7", paymentMethod="creditCard"))
    listed = entry("chargeback", invoiceNumber=ORDER)

    page = read(net, look.cursor, in_batch(listed)).outcome

    _, notice = page.notices
    assert notice.event_id == f"chargeback-{T}-2026W45"
    assert (notice.reference, notice.earlier_reference) == (T, ORDER)
    assert notice.movements == ()


def test_what_was_read_is_not_read_again_the_same_day(net: AuthorizeNet) -> None:
    look = first_look(net, batch("7"))
    page = read(net, look.cursor, in_batch()).outcome

    later = batches(batch("7"), date=LATER)
    again = read(net, page.cursor, later, batches(batch("7"), date=LATER)).outcome

    assert (again.notices, again.more) == ((), False)


def test_e_checks_are_looked_at_again_every_day(net: AuthorizeNet) -> None:
    look = first_look(net, batch("7"))
    page = read(net, look.cursor, in_batch()).outcome
    cards = batch("6", paymentMethod="creditCard")

    found = batches(batch("7"), cards, date=NEXT_DAY)
    again = read(net, page.cursor, batches(date=NEXT_DAY), found, found, *WINDOWS[1:])
    assert again.outcome.more
    plan = json.loads(again.outcome.cursor)["plan"]

    assert ["7", 1, False] in plan
    assert ["6", 1, True] in plan


@pytest.mark.parametrize(
    ("settled", "last_looked", "counts", "looked_at"),
    [
        ("2026-10-25T08:00:00Z", "2026-11-02", 0, True),
        ("2026-09-20T08:00:00Z", "2026-11-02", 0, False),
        ("2026-09-20T08:00:00Z", "2026-11-02", 2, True),
        ("2026-09-20T08:00:00Z", "2026-11-01", 0, True),  # a Sunday, so a week has begun since
    ],
)
def test_old_e_checks_are_looked_at_once_a_week_or_where_something_came_back(
    net: AuthorizeNet, settled: str, last_looked: str, counts: int, looked_at: bool
) -> None:
    statistics = {
        "statistic": {
            "accountType": "eCheck",
            "chargeAmount": "12.50",
            "chargeCount": "1",
            "refundAmount": "0",
            "refundCount": "0",
            "voidCount": "0",
            "declineCount": "0",
            "errorCount": "0",
            "returnedItemCount": str(counts),
        }
    }
    old = batch("3", at=settled, statistics=statistics)
    before = json.dumps(
        {
            "until": "2026-11-02T00:00:00+00:00",
            "swept": last_looked,
            "recent": ["3"],
            "plan": [],
            "counts": {},
        }
    )

    page = read(net, before, batches(date=NEXT_DAY), batches(), batches(old), *WINDOWS[1:]).outcome

    assert page.more is looked_at


def test_a_long_batch_is_read_page_by_page(
    net: AuthorizeNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "PAGE", 2)
    look = first_look(net, batch("7"))
    settled = entry("settledSuccessfully", **ECHECK)

    first = read(net, look.cursor, in_batch(settled, {**settled, "transId": "2"}))
    second = read(net, first.outcome.cursor, in_batch({**settled, "transId": "3"}))

    assert first.outcome.more
    assert not second.outcome.more
    offset = sent(second.requests[0])["getTransactionListRequest"]["paging"]["offset"]
    assert offset == "2"
    assert [each.event_id for each in second.outcome.notices] == ["settled-3"]


def test_what_could_not_be_settled_is_told_and_again_if_it_settles_after_all(
    net: AuthorizeNet,
) -> None:
    look = first_look(net, batch("7", settlementState="settlementError"))

    failed = read(net, look.cursor, in_batch(entry("settlementError", **ECHECK))).outcome
    again = read(net, failed.cursor, batches(batch("7"), date=LATER), batches(date=LATER)).outcome
    settled = read(net, again.cursor, in_batch(entry("settledSuccessfully", **ECHECK))).outcome

    assert [each.event_id for each in failed.notices] == [f"settlement_error-{T}"]
    assert [each.event_id for each in settled.notices] == [f"settled-{T}"]


def test_a_batch_that_is_still_to_settle_is_left_for_later(net: AuthorizeNet) -> None:
    look = first_look(net, batch("7", settlementState="pendingSettlement"))

    assert not look.more
    assert json.loads(look.cursor)["recent"] == []


# --- Refunds that somebody made in the Merchant Interface ----------------------------------------

REFUND = "60012345777"
LISTED = entry("refundSettledSuccessfully", transId=REFUND, invoiceNumber=ORDER)


def a_refund(**given: Any) -> Response:
    facts = {"kind": "refundTransaction", "refTransId": T, "settleAmount": "3.00", **given}
    return details("refundSettledSuccessfully", transId=REFUND, **facts)


def test_a_refund_made_elsewhere_is_money_of_the_payment_that_it_takes_back(
    net: AuthorizeNet,
) -> None:
    look = first_look(net, batch("7"))

    (notice,) = read(net, look.cursor, in_batch(LISTED), a_refund(order=ORDER)).outcome.notices

    assert (notice.event_id, notice.reference) == (f"refund-{REFUND}", T)
    (movement,) = notice.movements
    assert (movement.kind, movement.amount) == (MovementKind.REFUND, usd("3.00"))
    assert (movement.movement_id, movement.undoes, movement.settled) == (REFUND, T, usd("3.00"))


@pytest.mark.parametrize(("order", "ours"), [(ORDER, True), ("SHOP-7", False)])
def test_a_refund_without_our_number_is_ours_if_what_it_takes_back_is(
    net: AuthorizeNet, order: str, ours: bool
) -> None:
    look = first_look(net, batch("7"))
    listed = {**LISTED, "invoiceNumber": "R-1"}

    page = read(
        net,
        look.cursor,
        in_batch(listed),
        a_refund(order="R-1"),
        details("settledSuccessfully", order=order),
    ).outcome

    assert [each.reference for each in page.notices] == ([T] if ours else [])


def test_a_refund_of_our_own_is_a_hint(net: AuthorizeNet) -> None:
    look = first_look(net, batch("7"))
    own = order_number("k-refund")
    listed = {**LISTED, "invoiceNumber": own}

    page = read(net, look.cursor, in_batch(listed), a_refund(order=own, ref=own)).outcome

    (notice,) = page.notices
    assert (notice.event_id, notice.reference) == (f"settled-{REFUND}", REFUND)
    assert notice.movements == ()


# --- For how long -------------------------------------------------------------------------------


def looked_at(net: AuthorizeNet, *, before: dict[str, int], **given: Any) -> bool:
    """Return whether an old batch is read again on the next day."""
    counts = {"chargeAmount": "12.50", "chargeCount": "1", "chargebackCount": "1"}
    statistics = {"statistic": {"accountType": "Visa", **counts}}
    cursor = {
        "until": "2026-11-02T00:00:00+00:00",
        "swept": "2026-11-02",
        "recent": [],
        "plan": [],
        "counts": before,
    }
    old = batch("3", statistics=statistics, **{"paymentMethod": "creditCard", **given})
    months = [batches(old), *WINDOWS]
    return play(
        net.feed(json.dumps(cursor)), batches(date=NEXT_DAY), batches(), *months[:13]
    ).outcome.more


@pytest.mark.parametrize(
    ("settled", "watched"),
    [
        ("2026-08-10T08:00:00Z", True),
        ("2026-05-20T08:00:00Z", True),
        ("2026-05-01T08:00:00Z", False),
    ],
)
def test_a_card_is_watched_as_long_as_its_holder_can_dispute(
    net: AuthorizeNet, settled: str, watched: bool
) -> None:
    assert looked_at(net, before={}, at=settled) is watched


def test_an_e_check_is_watched_for_thirteen_months(net: AuthorizeNet) -> None:
    assert looked_at(net, before={}, at="2025-10-05T08:00:00Z", paymentMethod="eCheck")


def test_an_old_batch_is_read_again_when_its_counts_change(net: AuthorizeNet) -> None:
    old = "2026-07-20T08:00:00Z"

    assert not looked_at(net, before={"3": 1}, at=old)
    assert looked_at(net, before={"3": 2}, at=old)


def test_without_their_clock_there_is_no_feed(net: AuthorizeNet) -> None:
    silent = answers("getSettledBatchListResponse", {"messages": OK}, date="")

    with pytest.raises(BadResponse, match="what time"):
        read(net, "", silent)
