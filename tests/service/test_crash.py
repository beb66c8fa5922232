"""Each flow, stopped at each of its steps: after recovery all is as if it had not been stopped.

A process dies before a step is done, or after it was done and before it learned
of it. Then another one starts, calls the same verb with the same key at once
(as hosts do), recovers while time passes, and calls again; where the payment
turned out to have failed before anything was sent, with a new key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from paygate import Cashier, Kind, Money, Payment, Share
from paygate.domain.movement import Movement
from paygate.domain.outcome import Approved, DeclineCode, Declined
from paygate.domain.payment import PaymentStatus
from paygate.errors import AlreadyFinal, AlreadyPaid, NothingToAssign
from tests.service.world import (
    BACK,
    LEASE,
    PAYER,
    PowerCut,
    World,
    assert_sound,
    assert_truth,
    state_of,
    usd,
)

Act = Callable[[World, Cashier, str], object]


@dataclass(frozen=True)
class Story:
    """
    A flow that is stopped, what was before it, and what the payer does after it.

    `steps` is how many steps the flow has when nothing stops it.
    """

    name: str
    steps: int
    act: Act
    given: Callable[[World, Cashier], None] = lambda *_: None
    then: Callable[[World, Cashier], None] = lambda *_: None


def issue(cashier: Cashier, number: str = "INV-1", total: Money | None = None) -> None:
    cashier.issue(number=number, customer=PAYER, total=total or usd("30.00"), due="2026-02-01")


def given_invoice(world: World, cashier: Cashier) -> None:
    issue(cashier)


def given_two_invoices(world: World, cashier: Cashier) -> None:
    issue(cashier)
    issue(cashier, "INV-2", usd("12.50"))


def given_invoice_and_credit(world: World, cashier: Cashier) -> None:
    issue(cashier)
    cashier.record([], customer=PAYER, amount=usd("4.00"), by="cash", key="credit-1")
    world.clock.advance(seconds=1)
    cashier.record([], customer=PAYER, amount=usd("6.00"), by="cash", key="credit-2")


def pay_by(
    account: str, method: str | None = "tok_visa", **more: Any
) -> Callable[[World, Cashier, str], Payment]:
    """Collect INV-1, or what *more* says, through *account*."""
    wanted: dict[str, Any] = {"items": ["INV-1"], "payer": PAYER, "method": method} | more
    if method is None:
        wanted["return_url"] = BACK

    def act(world: World, cashier: Cashier, key: str) -> Payment:
        return cashier.collect(via=account, key=key, **wanted)

    return act


def payer_pays(world: World, cashier: Cashier) -> None:
    """The payer pays the page, slip or address that the newest payment shows."""
    [payment] = [p for p in cashier.payments() if p.status is PaymentStatus.REQUIRES_ACTION]
    world.fakes[payment.account].pay(payment.reference)
    world.clock.advance(timedelta(hours=1))
    cashier.inquire(payment)


def given_open_page(world: World, cashier: Cashier) -> None:
    issue(cashier)
    pay_by("redirect", None)(world, cashier, "page")


def given_paid_page(world: World, cashier: Cashier) -> None:
    given_open_page(world, cashier)
    [page] = cashier.payments()
    world.fakes["redirect"].pay(page.reference)


def pay_or_find_paid(world: World, cashier: Cashier, key: str) -> object:
    """Pay by card, unless the page turns out to be paid."""
    try:
        return pay_by("card")(world, cashier, key)
    except AlreadyPaid:
        return None


def only_payment(cashier: Cashier) -> Payment:
    return cashier.payments()[0]


# --- The flows --------------------------------------------------------------------------


def act_issue(world: World, cashier: Cashier, key: str) -> object:
    return cashier.issue(number="INV-9", customer=PAYER, total=usd("9.00"), due="2026-02-01")


def given_paid_invoice(world: World, cashier: Cashier) -> None:
    issue(cashier)
    cashier.record("INV-1", by="check", key="check-1", amount=usd("20.00"))


def act_void(world: World, cashier: Cashier, key: str) -> object:
    return cashier.void("INV-1", reason="issued twice")


def act_top_up(world: World, cashier: Cashier, key: str) -> object:
    return cashier.top_up(PAYER, usd("15.00"), via="card", key=key, method="tok_visa")


def act_pay_from_credit(world: World, cashier: Cashier, key: str) -> object:
    return cashier.pay_from_credit("INV-1", key=key)


def given_credit_used(world: World, cashier: Cashier) -> None:
    given_invoice_and_credit(world, cashier)
    cashier.pay_from_credit("INV-1", key="use", amount=usd("7.00"))


def act_undo_credit_use(world: World, cashier: Cashier, key: str) -> object:
    [payment] = [p for p in cashier.payments() if p.kind is Kind.CREDIT]
    return cashier.undo_credit_use(payment)


def act_record(world: World, cashier: Cashier, key: str) -> object:
    return cashier.record("INV-1", by="check", key=key, amount=usd("50.00"), reference="1042")


def act_write_off(world: World, cashier: Cashier, key: str) -> object:
    return cashier.write_off("INV-1", reason="goodwill", key=key, amount=usd("5.00"))


def given_write_off(world: World, cashier: Cashier) -> None:
    issue(cashier)
    cashier.write_off("INV-1", reason="goodwill", key="write-off", amount=usd("5.00"))


def act_undo_write_off(world: World, cashier: Cashier, key: str) -> object:
    same = cashier.write_off("INV-1", reason="goodwill", key="write-off", amount=usd("5.00"))
    return cashier.undo_write_off(same)


def given_check(world: World, cashier: Cashier) -> None:
    given_two_invoices(world, cashier)
    cashier.record(["INV-1", "INV-2"], by="check", key="check", amount=usd("60.00"))


def act_reverse(world: World, cashier: Cashier, key: str) -> object:
    [payment] = [p for p in cashier.payments() if p.kind is Kind.CHECK]
    return cashier.reverse(
        payment, reason="check returned", fee=usd("25.00"), bank_charge=usd("7.00")
    )


def given_unknown(world: World, cashier: Cashier) -> None:
    issue(cashier)
    cashier.collect("INV-1", via="card", method="tok_unknown_executed", key="card", payer=PAYER)


def act_inquire(world: World, cashier: Cashier, key: str) -> object:
    return cashier.inquire(only_payment(cashier))


def given_unknown_and_due(world: World, cashier: Cashier) -> None:
    given_unknown(world, cashier)
    world.clock.advance(timedelta(minutes=1))


def act_recover(world: World, cashier: Cashier, key: str) -> object:
    return cashier.recover()


def given_page_never_asked_for(world: World, cashier: Cashier) -> None:
    issue(cashier)
    with pytest.raises(PowerCut):
        pay_by("redirect", None)(world, world.doomed(2, lost=False), "page")
    world.clock.advance(LEASE)


def given_doubt(token: str) -> Callable[[World, Cashier], None]:
    def given(world: World, cashier: Cashier) -> None:
        issue(cashier)
        cashier.collect("INV-1", via="blind", method=token, key="card", payer=PAYER)

    return given


def resolved_as(*, paid: bool) -> Act:
    def act(world: World, cashier: Cashier, key: str) -> object:
        outcome: Approved | Declined = Declined(
            code=DeclineCode.GENERIC, raw_code="05", retryable=False
        )
        if paid:
            [entry] = world.fakes["blind"].processor.journal
            outcome = Approved(
                movements=(Movement(movement_id=entry.movement_id, amount=entry.amount),)
            )
        try:
            return cashier.resolve(only_payment(cashier), outcome, evidence="their dashboard")
        except AlreadyFinal:
            return None

    return act


def act_import(world: World, cashier: Cashier, key: str) -> object:
    rows = "".join(f"INV-{n},C-1,USD,{n}.50,2026-02-01\n" for n in range(1, 9))
    return cashier.import_invoices(f"number,customer,currency,total,due\n{rows}".encode())


def given_too_much_money(world: World, cashier: Cashier) -> None:
    given_two_invoices(world, cashier)
    cashier.collect("INV-1", via="card", method="tok_other_amount", key="card", payer=PAYER)


def act_assign(world: World, cashier: Cashier, key: str) -> object:
    try:
        return cashier.assign(only_payment(cashier), ["INV-1", "INV-2"], reason="paid for both")
    except NothingToAssign:
        return None


STORIES = [
    Story("issue", 1, act_issue),
    Story("import invoices", 1, act_import),
    Story("assign", 2, act_assign, given=given_too_much_money),
    Story("void", 1, act_void, given=given_paid_invoice),
    Story("collect by card", 3, pay_by("card"), given=given_invoice),
    Story("collect, declined", 3, pay_by("card", "tok_declined"), given=given_invoice),
    Story("collect, half approved", 3, pay_by("card", "tok_partial"), given=given_invoice),
    Story("collect, twice as much moved", 3, pay_by("card", "tok_other_amount"), given_invoice),
    Story("collect, request lost", 3, pay_by("card", "tok_unknown_lost"), given=given_invoice),
    Story("collect, answer lost", 3, pay_by("card", "tok_unknown_executed"), given=given_invoice),
    Story("collect, request late", 3, pay_by("card", "tok_timeout_late"), given=given_invoice),
    Story("collect, server error", 3, pay_by("card", "tok_500_executed"), given=given_invoice),
    Story("collect by e-check", 5, pay_by("e_check", "tok_bank"), given=given_invoice),
    Story(
        "collect by e-check, unpaid",
        5,
        pay_by("e_check", "tok_bank_unpaid_r01"),
        given=given_invoice,
    ),
    Story("collect while a page is open", 8, pay_by("card"), given=given_open_page),
    Story("collect while a page was paid", 14, pay_or_find_paid, given=given_paid_page),
    Story("collect by redirect", 3, pay_by("redirect", None), given_invoice, payer_pays),
    Story("collect by voucher", 3, pay_by("voucher", None), given_invoice, payer_pays),
    Story("collect by bitcoin", 3, pay_by("bitcoin", None), given_invoice, payer_pays),
    Story(
        "collect several invoices, in parts",
        3,
        pay_by("card", items=[Share("INV-2", usd("2.50")), Share("INV-1", usd("10.00"))]),
        given=given_two_invoices,
    ),
    Story(
        "collect more than is open",
        3,
        pay_by("card", items=["INV-1", "INV-2"], amount=usd("50.00")),
        given=given_two_invoices,
    ),
    Story(
        "collect with credit",
        3,
        pay_by("card", credit=usd("5.00")),
        given=given_invoice_and_credit,
    ),
    Story(
        "collect by redirect with credit",
        3,
        pay_by("redirect", None, credit=usd("5.00")),
        given=given_invoice_and_credit,
        then=payer_pays,
    ),
    Story("top up", 3, act_top_up),
    Story("pay from credit", 1, act_pay_from_credit, given=given_invoice_and_credit),
    Story("undo credit use", 2, act_undo_credit_use, given=given_credit_used),
    Story("record", 1, act_record, given=given_invoice),
    Story("write off", 1, act_write_off, given=given_invoice),
    Story("undo write-off", 2, act_undo_write_off, given=given_write_off),
    Story("reverse with fee and bank charge", 2, act_reverse, given=given_check),
    Story("inquire", 6, act_inquire, given=given_unknown),
    Story("recover", 8, act_recover, given=given_unknown_and_due),
    Story("recover by sending again", 10, act_recover, given_page_never_asked_for, payer_pays),
    Story("resolve as paid", 2, resolved_as(paid=True), given_doubt("tok_unknown_executed")),
    Story("resolve as declined", 2, resolved_as(paid=False), given_doubt("tok_unknown_lost")),
]


def build(folder: Path) -> World:
    world = World(folder)
    for kind in (Kind.CARD, Kind.E_CHECK, Kind.REDIRECT, Kind.VOUCHER, Kind.BITCOIN):
        world.add(kind.value, kind)
    world.add("blind", Kind.CARD, blind=True)
    return world


def play_to_the_end(story: Story, world: World) -> Cashier:
    """Call, recover, call again until the flow has its result, and let the payer go on."""
    cashier = world.process()
    for number in range(3):
        told = story.act(world, cashier, f"key-{number}")
        world.settle(cashier)
        told = story.act(world, cashier, f"key-{number}")
        if not isinstance(told, Payment) or told.status is not PaymentStatus.FAILED:
            break
        assert told.retryable, told
    story.then(world, cashier)
    world.settle(cashier)
    return cashier


@cache
def unstopped(story: Story) -> tuple[dict[str, list[Any]], int]:
    """Tell where *story* ends when nothing stops it, and how many steps its flow has."""
    with TemporaryDirectory() as folder:
        world = build(Path(folder))
        story.given(world, world.process())
        process = world.doomed(0, lost=False)
        story.act(world, process, "key-0")
        steps = len(process.steps)
        cashier = play_to_the_end(story, world)
        assert_sound(cashier)
        end = state_of(cashier)
        world.close()
    return end, steps


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_every_step_of_a_flow_is_stopped_somewhere_below(story: Story) -> None:
    _, steps = unstopped(story)

    assert steps == story.steps


@pytest.mark.parametrize("lost", [False, True], ids=["not done", "done, result lost"])
@pytest.mark.parametrize(
    ("story", "step"),
    [
        pytest.param(story, step, id=f"{story.name}, step {step} of {story.steps}")
        for story in STORIES
        for step in range(1, story.steps + 1)
    ],
)
def test_a_flow_stopped_anywhere_ends_as_if_it_was_not(
    story: Story, step: int, tmp_path: Path, *, lost: bool
) -> None:
    world = build(tmp_path)
    story.given(world, world.process())

    with pytest.raises(PowerCut):
        story.act(world, world.doomed(step, lost=lost), "key-0")
    assert_sound(world.process())
    cashier = play_to_the_end(story, world)

    assert_sound(cashier)
    assert_truth(world, cashier)
    assert state_of(cashier) == unstopped(story)[0]
    world.close()
