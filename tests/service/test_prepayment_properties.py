"""Laws of prepayments: the order of paying and issuing does not matter for the sums."""

from __future__ import annotations

from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from paygate import Cashier, Money, Prepayment
from paygate.testing import FakeGateway

Sums: TypeAlias = tuple[Money, Money, Money, Money]

amounts = st.integers(min_value=1, max_value=10_000)
payments = st.lists(amounts, max_size=5)
rests = st.sampled_from(["keep", "credit"])


def usd(minor: int) -> Money:
    return Money("USD", minor)


class Shop:
    def __init__(self, rest: str) -> None:
        self.cashier = Cashier.in_memory(gateways={"card": FakeGateway()})
        self.rest = rest
        self.number = 0

    def prepay(self, minor: int) -> Prepayment:
        return self.cashier.prepay(
            "C",
            usd(minor),
            assignment_key="O",
            key="entry",
            on_rest=self.rest,  # type: ignore[arg-type]
        )

    def issue(self, minor: int, number: str = "I") -> None:
        self.cashier.issue(
            number=number, customer="C", total=usd(minor), due="2031-01-01", assignment_key="O"
        )

    def take(self, made: Prepayment, minor: int) -> str:
        self.number += 1
        paid = self.cashier.record(made, by="check", amount=usd(minor), key=f"p-{self.number}")
        return paid.id

    def sums(self, made: Prepayment) -> Sums:
        """What is open on the invoices, waits, is open on the prepayment, and is credit."""
        now = self.cashier.prepayment(made)
        owed = Money.sum("USD", [each.open for each in self.cashier.invoices()])
        return owed, now.waiting, now.open, self.cashier.balance("C")["USD"]


def played(amount: int, total: int, paid: list[int], rest: str, at: int) -> Sums:
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
    amount: int, paid: list[int], rest: str, at: int, data: st.DataObject
) -> None:
    """Up to the total of the invoice, nothing depends on when it comes."""
    total = data.draw(st.integers(1, amount))

    first, later = (played(amount, total, paid, rest, each) for each in (min(at, len(paid)), 9))

    assert first == later


@settings(deadline=None)
@given(amount=amounts, total=amounts, paid=payments, rest=rests, at=st.integers(-1, 6))
def test_no_cent_is_lost_or_made(
    amount: int, total: int, paid: list[int], rest: str, at: int
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
    amount: int, total: int, before: list[int], minor: int, rest: str, issued: bool
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
    amount: int, total: int, paid: list[int], rest: str
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
