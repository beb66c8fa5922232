"""Laws of prepayments: the order of paying and issuing does not matter for the sums."""

from __future__ import annotations

from datetime import timedelta
from typing import TypeAlias, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from paygate import Cashier, InvoiceStatus, Money, Payment, Prepayment
from paygate.domain.words import OnRestWord
from paygate.testing import FakeClock, FakeGateway

Sums: TypeAlias = tuple[Money, Money, Money, Money]

amounts = st.integers(min_value=1, max_value=10_000)
payments = st.lists(amounts, max_size=5)
rests = st.sampled_from(get_args(OnRestWord))


def usd(minor: int) -> Money:
    return Money("USD", minor)


class Shop:
    def __init__(self, rest: OnRestWord) -> None:
        self.clock = FakeClock()
        card = FakeGateway(clock=self.clock)
        self.cashier = Cashier.in_memory(gateways={"card": card}, clock=self.clock)
        self.rest: OnRestWord = rest
        self.number = 0

    def prepay(self, minor: int) -> Prepayment:
        return self.cashier.prepay(
            "C",
            usd(minor),
            assignment_key="O",
            key="entry",
            on_rest=self.rest,
        )

    def issue(self, minor: int, number: str = "I") -> None:
        self.cashier.issue(
            number=number, customer="C", total=usd(minor), due="2031-01-01", assignment_key="O"
        )

    def take(self, made: Prepayment, minor: int) -> str:
        self.number += 1
        paid = self.cashier.record(made, by="check", amount=usd(minor), key=f"p-{self.number}")
        return paid.id

    def settle(self, payments: list[Payment]) -> None:
        """Wait until pending payments are approved."""
        self.clock.advance(timedelta(days=2))
        for each in payments:
            self.cashier.inquire(each)

    def sums(self, made: Prepayment) -> Sums:
        """What is open on the invoices, waits, is open on the prepayment, and is credit."""
        now = self.cashier.prepayment(made)
        still = [each for each in self.cashier.invoices() if each.status is not InvoiceStatus.VOID]
        owed = Money.sum("USD", [each.open for each in still])
        return owed, now.waiting, now.open, self.cashier.balance("C")["USD"]


def played(amount: int, total: int, paid: list[int], rest: OnRestWord, at: int) -> Sums:
    """Prepay, pay and issue; the invoice comes after *at* payments, or first of all with -1."""
    shop = Shop(rest)
    if at < 0:
        shop.issue(total)
    made = shop.prepay(amount)
    for number, minor in enumerate(paid):
        if number == at:
            shop.issue(total)
        shop.take(made, minor)
    if at >= len(paid):
        shop.issue(total)
    assert shop.cashier.fsck() == []
    found = shop.sums(made)
    shop.cashier.close()
    return found


@settings(deadline=None)
@given(amount=amounts, paid=payments, rest=rests, at=st.integers(0, 5), data=st.data())
def test_what_is_paid_before_and_after_the_invoice_adds_up_alike(
    amount: int, paid: list[int], rest: OnRestWord, at: int, data: st.DataObject
) -> None:
    """Up to the total of the invoice, nothing depends on when it comes."""
    total = data.draw(st.integers(1, amount))

    first, later = (played(amount, total, paid, rest, each) for each in (min(at, len(paid)), 9))

    assert first == later


@settings(deadline=None)
@given(amount=amounts, total=amounts, paid=payments, rest=rests, at=st.integers(-1, 6))
def test_no_cent_is_lost_or_made(
    amount: int, total: int, paid: list[int], rest: OnRestWord, at: int
) -> None:
    owed, waiting, _, credit = played(amount, total, paid, rest, at)

    assert total - owed.minor + waiting.minor + credit.minor == sum(paid)


@settings(deadline=None)
@given(
    amount=amounts,
    total=amounts,
    before=payments,
    minor=amounts,
    rest=rests,
    issued=st.booleans(),
)
def test_to_pay_and_to_reverse_is_nothing(
    amount: int, total: int, before: list[int], minor: int, rest: OnRestWord, issued: bool
) -> None:
    shop = Shop(rest)
    made = shop.prepay(amount)
    for each in before:
        shop.take(made, each)
    if issued:
        shop.issue(total)
    snapshot = shop.sums(made)

    shop.cashier.reverse(shop.take(made, minor), reason="bounced")

    assert shop.sums(made) == snapshot
    assert shop.cashier.fsck() == []
    shop.cashier.close()


@settings(deadline=None)
@given(amount=amounts, total=amounts, paid=payments, rest=rests)
def test_to_issue_and_to_void_is_nothing_but_the_rest(
    amount: int, total: int, paid: list[int], rest: OnRestWord
) -> None:
    shop = Shop(rest)
    made = shop.prepay(amount)
    for each in paid:
        shop.take(made, each)
    _, waiting, open_, credit = shop.sums(made)

    shop.issue(total)
    shop.cashier.void("I", reason="wrong")

    _, after, open_after, credit_after = shop.sums(made)
    assert open_after == open_
    assert after + credit_after == waiting + credit
    assert rest == "credit" or after == waiting
    assert shop.cashier.fsck() == []
    shop.cashier.close()


def under_way(shop: Shop, made: Prepayment, parts: list[int], number: str) -> list[Payment]:
    """Start card payments of parts of a prepayment, which are approved after a day."""
    return [
        shop.cashier.collect(
            made,
            via="card",
            method="tok_pending",
            amount=usd(minor),
            key=f"{number}-{position}",
        )
        for position, minor in enumerate(parts)
    ]


@settings(deadline=None)
@given(
    parts=st.lists(amounts, min_size=1, max_size=3),
    more=st.integers(0, 5_000),
    wrong=amounts,
    right=amounts,
    rest=rests,
    gone=st.booleans(),
    data=st.data(),
)
def test_a_payment_that_ends_after_the_wrong_invoice_counts_as_one_that_ended_before(
    parts: list[int],
    more: int,
    wrong: int,
    right: int,
    rest: OnRestWord,
    gone: bool,
    data: st.DataObject,
) -> None:
    """Nothing depends on when a payment ends, whatever is then voided or refunded."""
    refunded = data.draw(st.integers(1, parts[0])) if gone else 0
    found: list[Sums] = []
    for early in (True, False):
        shop = Shop(rest)
        made = shop.prepay(sum(parts) + more)
        payments = under_way(shop, made, parts, "p")
        if early:
            shop.settle(payments)
        shop.issue(wrong, "WRONG")
        shop.settle(payments)
        if refunded:
            shop.cashier.refund(payments[0], amount=usd(refunded), key="back", to="reopen")
        shop.cashier.void("WRONG", reason="wrong")
        shop.issue(right, "RIGHT")
        assert shop.cashier.fsck() == []
        found.append(shop.sums(made))
        shop.cashier.close()

    assert found[0] == found[1]
    owed, waiting, _, credit = found[0]
    assert right - owed.minor + waiting.minor + credit.minor == sum(parts) - refunded
    assert rest == "credit" or not credit.minor


@settings(deadline=None)
@given(amount=amounts, wrong=amounts, right=amounts, voided=st.integers(0, 3))
def test_a_reversal_that_was_a_mistake_changes_nothing(
    amount: int, wrong: int, right: int, voided: int
) -> None:
    """Whenever the wrong invoice is voided meanwhile, the money is where it would have been."""
    shop = Shop("keep")
    made = shop.prepay(amount)
    check = shop.cashier.record(made, by="check", key="check")
    shop.issue(wrong, "WRONG")
    for step in range(4):
        if step == voided:
            shop.cashier.void("WRONG", reason="wrong")
        if step == 1:
            shop.cashier.reverse(check, reason="bounced")
        if step == 2:
            shop.cashier.undo_reversal(check, reason="another check bounced")
    shop.issue(right, "RIGHT")

    assert shop.cashier.fsck() == []
    assert shop.cashier.invoice("RIGHT").open == usd(max(0, right - amount))
    assert shop.cashier.prepayment(made).waiting == usd(max(0, amount - right))
    assert shop.cashier.balance("C")["USD"] == usd(0)
    shop.cashier.close()
