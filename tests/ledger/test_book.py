"""The check of the books finds what it is there to find: each rule is broken on purpose."""

import sqlite3
from pathlib import Path

import pytest

from paygate import Cashier, Kind, Money
from paygate.ledger.book import RULES
from paygate.testing import FakeClock, FakeGateway

# For each rule the smallest damage that breaks it. Triggers and constraints, which would have
# refused it, are taken away first: this is what a stray script or a broken disk could leave.
DAMAGE = {
    "entries-balance": "UPDATE paygate_posting SET amount_minor = amount_minor + 1 WHERE id = 1",
    "receivable-rebuilds": "UPDATE paygate_item SET total_minor = total_minor + 1",
    "credit-rebuilds": "UPDATE paygate_credit SET amount_minor = amount_minor + 1",
    "suspense-rebuilds": "UPDATE paygate_receipt SET unallocated_minor = 1",
    "suspense-is-held": "UPDATE paygate_receipt SET unallocated_minor = 999999",
    "one-currency": "UPDATE paygate_allocation SET currency = 'JPY'",
    "void-invoices-rest": "UPDATE paygate_item SET status = 'void' WHERE number = 'A'",
    "awaiting-rebuilds": "UPDATE paygate_receipt SET awaiting_minor = 1",
    "in-transit-rebuilds": "UPDATE paygate_receipt SET in_transit_minor = in_transit_minor + 1",
    "disputes-are-marked": "UPDATE paygate_item SET disputed = 1",
    "allocated-adds-up": "UPDATE paygate_item SET allocated_minor = allocated_minor + 1",
    "written-off-adds-up": "UPDATE paygate_item SET written_off_minor = 1",
    "claims-add-up": "UPDATE paygate_item SET claimed_minor = claimed_minor + 1",
    "one-soft-claim": "UPDATE paygate_claim SET state = 'soft'",
    "dead-payments-hold-nothing": "UPDATE paygate_claim SET state = 'soft'",
    "open-pages-hold-nothing": "UPDATE paygate_claim SET state = 'hard'",
    "late-money-is-asked-about": "UPDATE paygate_attempt SET late_pending = 1",
    "credit-reserved-adds-up": "UPDATE paygate_credit SET reserved_minor = 1",
    "credit-used-adds-up": "UPDATE paygate_credit SET used_minor = 1",
    "receipts-are-accounted-for": "UPDATE paygate_receipt SET amount_minor = amount_minor + 1",
    "payments-are-accounted-for": "UPDATE paygate_credit SET closed_minor = 1",
    "payment-received-adds-up": "UPDATE paygate_payment SET received_minor = received_minor + 1",
    "held-in-proportion": "UPDATE paygate_payment SET seen_minor = 1",
    "secrets-are-sealed": """UPDATE paygate_attempt SET action = '{"token": "x"}'""",
    "returned-at-most-received": "UPDATE paygate_payment SET returned_minor = 999999",
    "status-follows-attempt": "UPDATE paygate_payment SET status = 'declined'",
    "operations-add-up": "UPDATE paygate_payment SET refunding_minor = 1",
    "captured-within-authorized": "UPDATE paygate_payment SET authorized_minor = 1",
    "doubt-is-followed-up": "UPDATE paygate_attempt SET next_check_at = NULL",
    "settlement-is-followed-up": "UPDATE paygate_payment SET settles_within_s = 86400",
    "events-have-no-gaps": "DELETE FROM paygate_outbox WHERE seq = 1",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger with a bit of everything: paid, overpaid, unknown, waiting on a page."""
    path, clock = tmp_path / "ledger.db", FakeClock()
    gateways = {"card": FakeGateway(clock=clock), "page": FakeGateway(Kind.REDIRECT, clock=clock)}
    with Cashier.open(f"sqlite:///{path}", gateways=gateways, clock=clock) as cashier:
        for number in "ABCD":
            cashier.issue(number=number, customer="C", total=Money.of("USD", 5), due="2026-02-01")
        over = Money.of("USD", 9)
        cashier.collect("A", via="card", method="tok_visa", key="A", amount=over)
        cashier.collect("B", via="card", method="tok_unknown_executed", key="B")
        cashier.collect("C", via="page", key="C", return_url="https://shop.example")
        cashier.record("C", by="cash", key="C")
        held = cashier.authorize("D", via="card", method="tok_visa", key="D")
        cashier.capture(held, key="D")
        assert cashier.fsck() == []
    return path


def test_a_posting_after_the_void_of_its_invoice_is_found(path: Path) -> None:
    with Cashier.open(f"sqlite:///{path}") as cashier:
        cashier.issue(number="E", customer="C", total=Money.of("USD", 5), due="2026-02-01")
        cashier.void("E", reason="issued twice")
        assert cashier.fsck() == []
    with sqlite3.connect(path) as connection:
        twice = """
        INSERT INTO paygate_posting (tenant, entry, account, currency, amount_minor, customer, item,
          receipt, credit, payment, effective, booked_at, actor)
        SELECT tenant, 'late', account, currency, :sign * amount_minor, customer, item, receipt,
          credit, payment, effective, booked_at, actor
        FROM paygate_posting WHERE entry LIKE 'void:%'
        """
        connection.execute(twice, {"sign": 1})
        connection.execute(twice.replace("'late'", "'later'"), {"sign": -1})

    with Cashier.open(f"sqlite:///{path}") as cashier:
        found = cashier.fsck()

    assert {violation.rule for violation in found} == {"void-invoices-rest"}


def test_every_rule_has_its_damage() -> None:
    assert {rule.name for rule in RULES} == set(DAMAGE)


@pytest.mark.parametrize("rule", DAMAGE)
def test_damage_is_found(path: Path, rule: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    for (trigger,) in triggers.fetchall():
        connection.execute(f"DROP TRIGGER {trigger}")
    connection.execute(DAMAGE[rule])
    connection.commit()
    connection.close()

    with Cashier.open(f"sqlite:///{path}") as cashier:
        found = cashier.fsck()

    assert rule in {violation.rule for violation in found}
    assert all(violation.subject and violation.detail for violation in found)
