"""Account statements: balances that follow each other, and agree with the books."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from paygate import AccountStatement, Cashier, Money, StatementKind
from paygate.testing import FakeClock, FakeGateway
from tests.service.test_properties import Machine
from tests.service.world import PAYER


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def till(clock: FakeClock) -> Iterator[Cashier]:
    with Cashier.in_memory(gateways={"card": FakeGateway(clock=clock)}, clock=clock) as cashier:
        yield cashier
        assert cashier.fsck() == []


def whole(cashier: Cashier, customer: str, **more: object) -> AccountStatement:
    return cashier.statement(customer, currency="USD", limit=1_000, **more)  # type: ignore[arg-type]


def owed(cashier: Cashier, customer: str) -> int:
    """Return what a customer owes, from invoices, credit, prepayments and waiting money."""
    invoices = sum(each.open.minor for each in cashier.invoices(customer=customer, limit=1_000))
    waiting = sum(
        each.waiting.minor for each in cashier.prepayments(customer=customer, limit=1_000)
    )
    lots = sum(
        each.amount.minor - each.used.minor for each in cashier.credits(customer, limit=1_000)
    )
    suspense = sum(
        each.unallocated.minor for each in cashier.payments(customer=customer, limit=1_000)
    )
    return invoices - waiting - lots - suspense


def test_a_statement_tells_each_kind_with_its_number(till: Cashier, clock: FakeClock) -> None:
    till.issue(number="INV-1", customer="C-1", total=usd("30.00"), due="2031-12-31")
    paid = till.collect("INV-1", via="card", method="tok_visa", key="k", amount=usd("35.00"))
    till.refund(paid, key="r", amount=usd("5.00"))
    till.issue(number="INV-2", customer="C-1", total=usd("10.00"), due="2031-12-31")
    till.write_off("INV-2", reason="small", key="w", amount=usd("1.00"))
    checked = till.record("INV-2", by="check", key="c", amount=usd("2.00"))
    till.reverse(checked, reason="bounced", fee=usd("25.00"))
    till.void("INV-2", reason="typo")
    till.prepay("C-1", usd("8.00"), assignment_key="O-1", key="p")

    found = whole(till, "C-1")

    told = [(each.kind.value, each.number, each.amount.minor) for each in found.lines]
    assert sorted(told) == sorted(
        [
            ("invoice", "INV-1", 3_000),
            ("payment", "000001", -3_500),
            ("refund", "000002", 500),
            ("invoice", "INV-2", 1_000),
            ("write_off", "INV-2", -100),
            ("payment", "000003", -200),
            ("return", "INV-2", 200),
            ("invoice", "REV-1-FEE", 2_500),
            ("void", "INV-2", -900),
        ]
    )
    assert found.opening == usd("0.00")
    assert found.closing == usd("25.00") == Money("USD", owed(till, "C-1"))
    assert {each.reference for each in found.lines if each.kind is StatementKind.PAYMENT} == {
        paid.short_reference,
        checked.short_reference,
    }


def test_money_that_only_moves_between_our_books_is_no_line(
    till: Cashier, clock: FakeClock
) -> None:
    entry = till.prepay("C-1", usd("8.00"), assignment_key="O-1", key="p")
    till.collect(entry, via="card", method="tok_visa", key="k")
    before = whole(till, "C-1")
    clock.advance(days=1)

    till.issue(
        number="INV-1",
        customer="C-1",
        total=usd("8.00"),
        due="2031-12-31",
        assignment_key="O-1",
    )

    found = whole(till, "C-1")
    assert before.closing == usd("-8.00")
    assert [each.kind.value for each in found.lines] == ["payment", "invoice"]
    assert found.closing == usd("0.00")


def test_periods_and_pages_follow_each_other(till: Cashier, clock: FakeClock) -> None:
    for number in range(9):
        till.issue(number=f"INV-{number}", customer="C-1", total=usd("1.00"), due="2031-12-31")
        till.issue(number=f"X-{number}", customer="C-2", total=usd("7.00"), due="2031-12-31")
        clock.advance(days=10)

    january = whole(till, "C-1", until="2026-02-01")
    february = whole(till, "C-1", since="2026-02-01", until="2026-03-01")
    rest = whole(till, "C-1", since="2026-03-01")
    assert january.opening == usd("0.00")
    assert january.closing == february.opening
    assert february.closing == rest.opening
    assert rest.closing == usd("9.00")
    assert len(january.lines) + len(february.lines) + len(rest.lines) == 9

    balances, after, seen = [usd("0.00")], "", 0
    while True:
        page = till.statement("C-1", currency="USD", after=after, limit=4)
        assert page.opening == balances[-1]
        balances.append(page.closing)
        seen += len(page.lines)
        if len(page.lines) < 4:
            break
        after = page.lines[-1].id
    assert (seen, balances[-1]) == (9, usd("9.00"))
    assert whole(till, "nobody").lines == ()


class Stated(Machine):
    """Random histories at the end of which the statement agrees with the books."""

    def teardown(self) -> None:
        found = whole(self.cashier, PAYER.id)
        assert found.closing.minor == owed(self.cashier, PAYER.id)
        running = found.opening
        for each in found.lines:
            running += each.amount
        assert running == found.closing
        super().teardown()


TestStated = Stated.TestCase
TestStated.settings = settings(
    max_examples=12, stateful_step_count=25, suppress_health_check=list(HealthCheck)
)
