"""Which state the page of a payment is in: a table from the facts of the ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from paygate import Kind, Money, Payment, PaymentItem, PaymentStatus, Receipt, Secret
from paygate.domain.action import (
    ApproveElsewhere,
    PayToAddress,
    PostForm,
    Redirect,
    ScriptStep,
    ShowCode,
    ShowVoucher,
)
from paygate.domain.movement import MovementKind
from paygate.web.pages.standing import (
    CHANGING,
    OFFERS_ANOTHER,
    GoneBack,
    Situation,
    gone_back,
    state_of,
)
from paygate.web.pages.states import PageState

NOW = datetime(2031, 6, 1, 12, 0, tzinfo=UTC)
S = PaymentStatus


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


ZERO = usd("0")
FULL = usd("30")
PLAIN = Payment(
    id="pay_1",
    customer="C-1",
    payer="C-1",
    short_reference="7KQ2M4TD",
    account="card",
    kind=Kind.CARD,
    amount=FULL,
    status=S.PROCESSING,
    received=ZERO,
    returned=ZERO,
    credited=ZERO,
    unallocated=ZERO,
    from_credit=ZERO,
    awaiting=ZERO,
    capturing=ZERO,
    refunding=ZERO,
)
GO = Redirect(url="https://processor.example/1")
FORM = PostForm(url="https://processor.example/", token_field="t", token=Secret("x"))
SCRIPT = ScriptStep(script_url="https://s.example/", publishable_key="k", client_secret=Secret("x"))
SLIP = ShowVoucher(reference="123")
CODE = ShowCode(payload="000201")
PUSH = ApproveElsewhere(where="Swish")
BITCOIN = PayToAddress(address="bc1", amount=Money.of("BTC", "0.001"), uri="bitcoin:bc1")
USED = (PaymentItem(invoice="A", amount=FULL, claimed=ZERO, paid=FULL),)
UNUSED = (PaymentItem(invoice="A", amount=FULL, claimed=ZERO, paid=ZERO),)
IN_FULL: dict[str, Any] = {"status": S.SUCCEEDED, "received": FULL, "items": USED}
AGO = NOW - timedelta(seconds=20)
PAST = NOW - timedelta(seconds=1)
LATER = NOW + timedelta(minutes=5)
BACK: dict[str, Any] = {"came_back_at": AGO}
LAG: dict[str, Any] = {**BACK, "return_lag": timedelta(seconds=30)}
TAKEN = GoneBack(taken=FULL, sent=ZERO, on=date(2031, 6, 1))
SENT = GoneBack(taken=ZERO, sent=FULL, on=date(2031, 6, 1))


def acts(action: Any, **more: Any) -> dict[str, Any]:
    return {"status": S.REQUIRES_ACTION, "action": action, **more}


TABLE: list[tuple[str, dict[str, Any], dict[str, Any], PageState]] = [
    ("redirect", acts(GO), {}, PageState.GO),
    ("form", acts(FORM), {}, PageState.GO),
    ("redirect that expired", acts(GO, expires_at=PAST), {}, PageState.EXPIRED),
    ("back unpaid", acts(GO), BACK, PageState.CAME_BACK),
    ("back unpaid from a page that expired", acts(GO, expires_at=PAST), BACK, PageState.CAME_BACK),
    ("back within the lag", acts(GO), LAG, PageState.WAITING),
    (
        "back after the lag",
        acts(GO),
        {**LAG, "return_lag": timedelta(seconds=20)},
        PageState.CAME_BACK,
    ),
    ("back in the future", acts(GO), {**LAG, "came_back_at": LATER}, PageState.CAME_BACK),
    ("back, no answer", acts(GO), {**BACK, "answered": False}, PageState.WAITING),
    ("completing", acts(GO), {**BACK, "in_doubt": True}, PageState.UNKNOWN),
    ("completing, flagged", acts(GO, needs_review=True), {"in_doubt": True}, PageState.REVIEW),
    ("script", acts(SCRIPT), {}, PageState.SCRIPT),
    ("script, back", acts(SCRIPT), BACK, PageState.CAME_BACK),
    ("push", acts(PUSH), {}, PageState.ELSEWHERE),
    ("push, back", acts(PUSH), BACK, PageState.ELSEWHERE),
    ("push that expired", acts(PUSH, expires_at=NOW), {}, PageState.EXPIRED),
    ("bitcoin", acts(BITCOIN, expires_at=LATER), {}, PageState.BITCOIN),
    ("quote over", acts(BITCOIN, expires_at=NOW), {}, PageState.QUOTE_OVER),
    ("a part of it", acts(BITCOIN, received=usd("20"), items=USED), {}, PageState.BITCOIN),
    (
        "a part of it, quote over",
        acts(BITCOIN, received=usd("20"), items=USED, expires_at=PAST),
        {},
        PageState.PARTLY,
    ),
    ("code", acts(CODE), {}, PageState.CODE),
    ("slip", acts(SLIP, expires_at=LATER), {}, PageState.SLIP),
    ("slip that expired", acts(SLIP, expires_at=PAST), {}, PageState.EXPIRED),
    ("sent", {"status": S.PROCESSING}, {}, PageState.PENDING),
    ("seen", {"status": S.PROCESSING, "seen": FULL}, {}, PageState.PENDING),
    ("held", {"status": S.AUTHORIZED, "authorized": FULL}, {}, PageState.AUTHORIZED),
    ("paid", IN_FULL, {}, PageState.PAID),
    ("paid, nothing open", IN_FULL, {"rest": ZERO}, PageState.PAID),
    ("paid by credit", {"status": S.SUCCEEDED, "from_credit": FULL}, {}, PageState.PAID),
    ("paid, and disputed", {**IN_FULL, "disputed": True}, {}, PageState.PAID),
    ("paid, and flagged", {**IN_FULL, "needs_review": True}, {}, PageState.PAID),
    ("accepted", {**IN_FULL, "awaiting": FULL}, {}, PageState.AWAITING),
    ("half", {**IN_FULL, "received": usd("15")}, {}, PageState.PARTLY),
    ("own amount", IN_FULL, {"rest": usd("5")}, PageState.PARTLY),
    ("over", {**IN_FULL, "received": usd("35"), "credited": usd("5")}, {}, PageState.OVER),
    ("balance paid ahead", {**IN_FULL, "items": (), "credited": FULL}, {}, PageState.OVER),
    ("twice", {**IN_FULL, "items": UNUSED, "credited": FULL}, {}, PageState.TWICE),
    ("undecided", {**IN_FULL, "unallocated": FULL, "items": UNUSED}, {}, PageState.REVIEW),
    ("declined", {"status": S.DECLINED}, {}, PageState.DECLINED),
    ("declined, flagged", {"status": S.DECLINED, "needs_review": True}, {}, PageState.REVIEW),
    ("failed", {"status": S.FAILED}, {}, PageState.FAILED),
    ("canceled", {"status": S.CANCELED}, {}, PageState.CANCELED),
    ("expired", {"status": S.EXPIRED}, {}, PageState.EXPIRED),
    ("unknown", {"status": S.UNKNOWN}, {}, PageState.UNKNOWN),
    ("unknown, back", {"status": S.UNKNOWN}, BACK, PageState.UNKNOWN),
    ("unknown, flagged", {"status": S.UNKNOWN, "needs_review": True}, {}, PageState.REVIEW),
    ("unknown after money", {**IN_FULL, "status": S.UNKNOWN}, {}, PageState.UNKNOWN),
    ("contradiction", acts(GO, conflicted=True), {}, PageState.REVIEW),
    ("returned", {**IN_FULL, "returned": FULL}, {"back": TAKEN}, PageState.TAKEN_BACK),
    ("refunded", {**IN_FULL, "returned": FULL}, {"back": SENT}, PageState.REFUNDED),
    ("a part refunded", {**IN_FULL, "returned": usd("5")}, {"back": SENT}, PageState.REFUNDED),
]


@pytest.mark.parametrize(
    ("payment", "situation", "state"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_the_state_follows_from_the_facts(
    payment: dict[str, Any], situation: dict[str, Any], state: PageState
) -> None:
    assert state_of(replace(PLAIN, **payment), Situation(now=NOW, **situation)) is state


def test_every_state_of_a_payment_is_in_the_table() -> None:
    of_links = {
        PageState.CHOOSE,
        PageState.BUSY,
        PageState.CHANGED,
        PageState.NOTHING_DUE,
        PageState.NOT_FOUND,
        PageState.TRY_LATER,
    }
    assert {row[3] for row in TABLE} == set(PageState) - of_links


@pytest.mark.parametrize("status", PaymentStatus)
def test_whatever_happened_a_page_has_a_state(status: PaymentStatus) -> None:
    for received in (ZERO, FULL):
        for flagged in (False, True):
            payment = replace(PLAIN, status=status, received=received, needs_review=flagged)
            assert state_of(payment, Situation(now=NOW)) in PageState


def test_while_money_may_be_on_its_way_no_other_way_is_offered() -> None:
    unclear = {
        PageState.WAITING,
        PageState.PENDING,
        PageState.AUTHORIZED,
        PageState.AWAITING,
        PageState.UNKNOWN,
        PageState.REVIEW,
        PageState.BUSY,
    }
    assert not unclear & OFFERS_ANOTHER
    assert unclear - {PageState.AWAITING, PageState.BUSY} <= CHANGING


def receipt(kind: MovementKind, amount: str, day: int) -> Receipt:
    return Receipt(
        id=f"r{day}",
        number=day,
        payment="pay_1",
        account="card",
        kind=kind,
        movement_id=f"m{day}",
        amount=usd(amount),
        effective=date(2031, 6, day),
        booked_at=NOW,
        allocated=ZERO,
        credited=ZERO,
        unallocated=ZERO,
        awaiting=ZERO,
        in_transit=ZERO,
    )


@pytest.mark.parametrize(
    ("moved", "taken", "sent"),
    [
        ([MovementKind.CHARGE], "0", "0"),
        ([MovementKind.CHARGE, MovementKind.REFUND], "0", "30"),
        ([MovementKind.CHARGE, MovementKind.VOID], "0", "30"),
        ([MovementKind.CHARGE, MovementKind.REFUND, MovementKind.REFUND_FAILED], "0", "0"),
        ([MovementKind.CHARGE, MovementKind.RETURN], "30", "0"),
        ([MovementKind.CHARGE, MovementKind.CHARGEBACK], "30", "0"),
        ([MovementKind.CHARGE, MovementKind.CHARGEBACK, MovementKind.CHARGEBACK_WON], "0", "0"),
        ([MovementKind.CHARGE, MovementKind.REVERSAL], "30", "0"),
        ([MovementKind.CHARGE, MovementKind.REVERSAL, MovementKind.UNDONE], "0", "0"),
    ],
)
def test_what_went_back_is_told_apart_by_who_took_it(
    moved: list[MovementKind], taken: str, sent: str
) -> None:
    receipts = [receipt(kind, "30", day) for day, kind in enumerate(moved, start=1)]

    found = gone_back(PLAIN, receipts)

    assert (found.taken, found.sent) == (usd(taken), usd(sent))
    backward = [each for each in receipts if each.kind is not MovementKind.CHARGE]
    assert found.on == (backward[-1].effective if backward else None)
