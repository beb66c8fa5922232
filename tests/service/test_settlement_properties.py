"""Laws of settlement: the books are sound whatever happens, and nothing waits for ever."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from paygate import Cashier, Money, Refused, UsageError
from paygate.domain.words import RefundToWord
from paygate.testing import FakeClock, FakeGateway

WHAT = ("pay", "hold", "capture", "refund", "pay out", "cash", "dispute", "lose", "win", "fail")
happenings = st.lists(
    st.tuples(st.sampled_from(WHAT), st.integers(0, 20), st.integers(1, 10)), max_size=14
)


class Shop:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.card = FakeGateway(clock=self.clock)
        self.cashier = Cashier.in_memory(
            gateways={"card": {"gateway": self.card, "credit_on": "settled"}}, clock=self.clock
        )
        for number in "AB":
            self.cashier.issue(
                number=number, customer="C", total=Money("USD", 3000), due="2026-02-01"
            )

    def do(self, what: str, which: int, tenths: int, key: str) -> None:
        part = Money("USD", 300 * tenths)
        number = "AB"[which % 2]
        paid: dict[str, Any] = {"via": "card", "method": "tok_visa", "key": key, "amount": part}
        match what:
            case "pay":
                self.cashier.collect(number, **paid)
            case "hold":
                self.cashier.authorize(number, **paid)
            case "cash":
                self.cashier.record(number, by="cash", key=key, amount=part)
            case "capture":
                final = tenths % 2 == 0
                self.cashier.capture(self.payment(which), key=key, amount=part, final=final)
            case "refund":
                ways: tuple[RefundToWord | None, ...] = (None, "reopen", "credit_note")
                to = ways[tenths % 3]
                self.cashier.refund(self.payment(which), key=key, amount=part, to=to)
            case _:
                self.processor(what, which, tenths)

    def payment(self, which: int) -> str:
        made = [each.id for each in self.cashier.payments() if each.account == "card"]
        return made[which % len(made)] if made else "none"

    def processor(self, what: str, which: int, tenths: int) -> None:
        moved = [each.reference for each in self.card.journal]
        if not moved:
            return
        order = moved[which % len(moved)]
        match what:
            case "pay out":
                self.card.pay_out(order, percent=10 * tenths, fee=Money("USD", 0))
            case "dispute":
                self.card.open_dispute(order)
                self.card.dispute(order)
            case "lose":
                self.card.lose_dispute(order)
            case "win":
                self.card.win_dispute(order)
            case _:
                self.card.fail_refund(order)

    def hear(self) -> None:
        for callback in self.card.callbacks():
            self.cashier.receive("card", callback)
        self.cashier.apply_callbacks()


@settings(max_examples=60, deadline=None)
@given(happenings)
def test_the_books_are_sound_and_nothing_waits_when_all_is_paid_out(
    happened: list[tuple[str, int, int]],
) -> None:
    shop = Shop()
    for place, (what, which, tenths) in enumerate(happened):
        try:
            shop.do(what, which, tenths, key=f"k{place}")
        except (Refused, UsageError):
            continue
        shop.hear()
        assert shop.cashier.fsck() == []

    for order in dict.fromkeys(each.reference for each in shop.card.journal):
        shop.card.pay_out(order, fee=Money("USD", 0))
    for _ in range(3):
        shop.hear()
        shop.clock.advance(days=1)

    assert shop.cashier.fsck() == []
    for payment in shop.cashier.payments():
        assert not payment.awaiting.minor
        booked = shop.cashier.receipts(payment)
        if payment.account == "card":
            assert all(not each.in_transit.minor for each in booked)
    booked_all = sum(
        payment.received.minor - payment.returned.minor
        for payment in shop.cashier.payments()
        if payment.account == "card"
    )
    assert booked_all == shop.card.moved("USD").minor
