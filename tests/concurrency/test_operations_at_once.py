"""Two clerks at one payment: their steps in every order, and in two processes at one moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from paygate import Cashier, Kind, PaymentStatus
from paygate.errors import PaygateError, Refused
from paygate.service.account import Timing
from paygate.testing import FakeClock, FakeGateway, Habits, read_journal
from tests.concurrency.actors import ProcessorProcess, context, do_at_once, open_cashier
from tests.concurrency.test_interleavings import Runner, orders
from tests.service.world import BACK, PAYER, assert_sound, usd


class Shop:
    """A ledger in memory, one invoice of 30 dollars, a card account and a page account."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.card = FakeGateway(Kind.CARD, clock=self.clock)
        patient = Habits(needs_complete=True, page_expires_after=timedelta(days=60))
        self.page = FakeGateway(Kind.REDIRECT, clock=self.clock, habits=patient)
        gateways = {"card": self.card, "page": self.page}
        self.cashier = Cashier.in_memory(
            gateways=gateways, clock=self.clock, timing=Timing(feed_pause=None)
        )
        self.cashier.issue(number="INV-1", customer=PAYER, total=usd("30.00"), due="2026-02-01")


def authorized(shop: Shop) -> str:
    return shop.cashier.authorize("INV-1", via="card", method="tok_visa", key="auth").id


def captured_in_part(shop: Shop) -> str:
    payment = authorized(shop)
    shop.cashier.capture(payment, key="first", amount=usd("5.00"), final=False)
    return payment


def charged(shop: Shop) -> str:
    return shop.cashier.collect("INV-1", via="card", method="tok_visa", key="pay").id


def charged_with_credit(shop: Shop) -> str:
    return shop.cashier.collect(
        "INV-1", via="card", method="tok_visa", key="pay", amount=usd("50.00")
    ).id


def paid_page(shop: Shop) -> str:
    page = shop.cashier.collect("INV-1", via="page", key="page", payer=PAYER, return_url=BACK)
    shop.page.pay(page.reference)
    return page.id


Start = Callable[[Cashier, str, str], Runner]


def does(verb: str, **more: Any) -> Start:
    """Ask for *verb* of the payment, each time with another key."""
    return lambda cashier, payment, key: Runner(cashier, verb, payment, key=key, **more)


def capture(amount: str, *, final: bool = True) -> Start:
    return does("capture", amount=usd(amount), final=final)


def refund(amount: str, to: str | None = None) -> Start:
    return does("refund", amount=usd(amount), to=to)


cancel = does("cancel")
complete = does("complete")
close = does("withdraw_page")


def reverse(cashier: Cashier, payment: str, key: str) -> Runner:
    return Runner(cashier, "reverse", payment, reason="a clerk's mistake")


def pay_by_card(cashier: Cashier, payment: str, key: str) -> Runner:
    return Runner(cashier, "collect", "INV-1", via="card", method="tok_visa", key=key)


def use_credit(cashier: Cashier, payment: str, key: str) -> Runner:
    cashier.issue(number="INV-2", customer=PAYER, total=usd("20.00"), due="2026-02-01")
    return Runner(cashier, "pay_from_credit", "INV-2", key=key)


PAIRS: dict[str, tuple[Callable[[Shop], str], int, Start, int, Start]] = {
    "capture and void": (authorized, 3, capture("30.00"), 5, cancel),
    "second capture and void": (captured_in_part, 3, capture("25.00"), 5, cancel),
    "two captures, too much": (authorized, 3, capture("20.00"), 3, capture("20.00")),
    "two captures, of parts": (
        authorized,
        3,
        capture("20.00", final=False),
        3,
        capture("20.00", final=False),
    ),
    "two captures, that fit": (
        authorized,
        3,
        capture("10.00", final=False),
        3,
        capture("20.00", final=False),
    ),
    "two refunds, too much": (charged, 3, refund("20.00"), 3, refund("20.00")),
    "two refunds, that fit": (charged, 3, refund("10.00"), 3, refund("20.00", "credit_note")),
    "two refunds of credit": (
        charged_with_credit,
        3,
        refund("20.00", "from_credit"),
        3,
        refund("20.00", "from_credit"),
    ),
    "a refund of credit, and its use": (
        charged_with_credit,
        3,
        refund("20.00", "from_credit"),
        1,
        use_credit,
    ),
    "refund and void": (charged, 3, refund("10.00"), 5, cancel),
    "two voids": (charged, 3, cancel, 3, cancel),
    "refund and reversal": (charged, 3, refund("10.00"), 1, reverse),
    "void and reversal": (charged, 5, cancel, 1, reverse),
    "completion and a card": (paid_page, 3, complete, 3, pay_by_card),
    "two completions": (paid_page, 3, complete, 3, complete),
    "completion and withdrawal": (paid_page, 3, complete, 3, close),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_two_operations_in_any_order_never_move_more_than_allowed(pair: str) -> None:
    given, first_steps, first, second_steps, second = PAIRS[pair]
    for order in orders(first_steps, second_steps):
        shop = Shop()
        payment = given(shop)
        cashier = shop.cashier
        runners = {"A": first(cashier, payment, "a"), "B": second(cashier, payment, "b")}

        for place, name in enumerate(order):
            runners[name].step()
            if place == len(order) // 2:  # both are under way, or one is done
                assert_sound(cashier)
        results = [runner.finish() for runner in runners.values()]
        assert_sound(cashier)

        for result in results:
            assert not isinstance(result, PaygateError) or isinstance(result, Refused), result
        assert not all(isinstance(result, PaygateError) for result in results), order
        assert_moved_within_bounds(shop, pair, order)


def assert_moved_within_bounds(shop: Shop, pair: str, order: str) -> None:
    payments = shop.cashier.payments()
    booked = usd("0.00")
    for payment in payments:
        assert usd("0.00") <= payment.returned <= payment.received, order
        assert payment.received <= payment.amount, order
        if not payment.reversed:
            booked += payment.received - payment.returned
        assert not any(each.state.in_doubt for each in shop.cashier.attempts(payment)), order
    moved = shop.card.moved("USD") + shop.page.moved("USD")
    if not any(payment.reversed for payment in payments):
        assert booked == moved, order
    assert moved <= usd("50.00" if "credit" in pair else "30.00"), order
    invoice = shop.cashier.invoice("INV-1")
    live = [payment for payment in payments if payment.status is PaymentStatus.AUTHORIZED]
    assert bool(invoice.claimed.minor) == bool(live), order


# --- Two processes -------------------------------------------------------------------------

Asked = tuple[str, dict[str, Any]]
TAKE: Asked = ("capture", {"amount": usd("20.00"), "final": False})
TAKE_ALL: Asked = ("capture", {"amount": usd("30.00")})
GIVE_BACK: Asked = ("refund", {"amount": usd("20.00")})
CANCEL: Asked = ("cancel", {})
REVERSE: Asked = ("reverse", {"reason": "a clerk's mistake"})
RACES: dict[str, tuple[bool, Asked, Asked]] = {
    "capture and void": (True, TAKE_ALL, CANCEL),
    "two captures": (True, TAKE, TAKE),
    "two refunds": (False, GIVE_BACK, GIVE_BACK),
    "refund and void": (False, GIVE_BACK, CANCEL),
    "refund and reversal": (False, GIVE_BACK, REVERSE),
}
ROUNDS = 3


@pytest.mark.parametrize("race", RACES)
def test_two_processes_at_one_payment_never_move_more_than_allowed(
    race: str, ledger: Path, running: ProcessorProcess
) -> None:
    held, first, second = RACES[race]
    with open_cashier(ledger, running.url) as cashier:
        for number in range(ROUNDS):
            name = f"INV-{number}"
            cashier.issue(number=name, customer="C-1", total=usd("30.00"), due="2026-02-01")
            pay = cashier.authorize if held else cashier.collect
            payment = pay(name, via="card", method="tok_visa", key=name).id

            told = ask_in_two_processes(ledger, running, payment, (first, second))

            now = cashier.payment(payment)
            assert "done" in told
            assert now.returned <= now.received <= now.amount, told
            moved = sum(
                entry.minor if entry.kind.inward else -entry.minor
                for entry in read_journal(running.journal)
                if entry.payment == payment
            )
            assert 0 <= moved <= 3000, told
            if not now.reversed:
                assert (now.received - now.returned).minor == moved, told
            assert_sound(cashier)


def ask_in_two_processes(
    ledger: Path, running: ProcessorProcess, payment: str, asked: tuple[Asked, Asked]
) -> list[str]:
    """Let two processes ask at the same moment; what each was told."""
    processes = context()
    together = processes.Barrier(2)
    pipes = [processes.Pipe(duplex=False) for _ in asked]
    children = []
    for (verb, more), (_, tells), key in zip(asked, pipes, "ab", strict=True):
        keyed = more if verb == "reverse" else {**more, "key": f"{payment}-{key}"}
        what = (verb, payment, keyed)
        children.append(
            processes.Process(target=do_at_once, args=(ledger, running.url, what, together, tells))
        )
    for child in children:
        child.start()
    for _, tells in pipes:
        tells.close()
    told: list[str] = [hears.recv() for hears, _ in pipes]
    for child, (hears, _) in zip(children, pipes, strict=True):
        child.join()
        hears.close()
        assert child.exitcode == 0
    return told
