"""A callback says that the payer has approved a page, whose money is already on its way."""

from __future__ import annotations

from paygate import Cashier, Kind, Money, Operation
from paygate.dialogue import Dialogue, at_once
from paygate.domain.callback import InboxState
from paygate.domain.outcome import Finding, Pending
from paygate.gateway import Inquiry
from paygate.testing import FakeClock, FakeGateway, Habits


class Collecting(FakeGateway):
    """A gateway that collects the money of an approved page by itself, which takes days."""

    collects = False

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        """Report money on its way while `collects` is set."""
        if self.collects:
            return at_once(Pending(reference=inquiry.reference))
        return super().look_up(inquiry)


def test_an_approval_that_is_told_after_the_money_is_on_its_way_needs_nothing() -> None:
    clock = FakeClock()
    page = Collecting(Kind.REDIRECT, clock=clock, habits=Habits(needs_complete=True))
    cashier = Cashier.in_memory(gateways={"page": page}, clock=clock)
    cashier.issue(number="A", customer="C-1", total=Money.of("USD", "84.00"), due="2031-03-01")
    payment = cashier.collect("A", via="page", key="p", return_url="https://shop.example/")
    page.pay(payment.reference)
    page.collects = True
    assert cashier.inquire(payment).status == "processing"

    for each in page.callbacks():
        cashier.receive("page", each)
    cashier.apply_callbacks()

    assert {each.state for each in cashier.callbacks()} == {InboxState.APPLIED}
    assert [each.operation for each in cashier.attempts(payment)] == [Operation.CHARGE]
    assert cashier.payment(payment).status == "processing"
    assert str(cashier.invoice("A").claimed) == "84.00 USD"
    assert cashier.fsck() == []
