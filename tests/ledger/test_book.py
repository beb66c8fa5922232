"""The check of the books finds what it is there to find: each rule is broken on purpose."""

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from paygate import Cashier, Kind, Mandate, Money
from paygate.errors import InvalidValue, LedgerCorrupt
from paygate.ledger.book import NAMED_MAX, RULES, Violation
from paygate.testing import FakeClock, FakeGateway
from tests.ledger import rich

pytestmark = pytest.mark.sqlite

# For each rule the smallest damage that breaks it. Triggers and constraints, which would have
# refused it, are taken away first: this is what a stray script or a broken disk could leave.
DAMAGE = {
    "entries-balance": "UPDATE paygate_posting SET amount_minor = amount_minor + 1 WHERE id = 1",
    "receivable-rebuilds": "UPDATE paygate_item SET total_minor = total_minor + 1",
    "credit-rebuilds": "UPDATE paygate_credit SET amount_minor = amount_minor + 1",
    "suspense-rebuilds": "UPDATE paygate_receipt SET unallocated_minor = 1",
    "suspense-is-held": "UPDATE paygate_receipt SET unallocated_minor = 999999",
    "one-currency": "UPDATE paygate_allocation SET currency = 'JPY'",
    "void-invoices-sum-to-zero": "UPDATE paygate_item SET status = 'void' WHERE number = 'A'",
    "awaiting-rebuilds": "UPDATE paygate_receipt SET awaiting_minor = 1",
    "in-transit-rebuilds": "UPDATE paygate_receipt SET in_transit_minor = in_transit_minor + 1",
    "disputes-are-marked": "UPDATE paygate_item SET disputed = 1",
    "allocated-adds-up": "UPDATE paygate_item SET allocated_minor = allocated_minor + 1",
    "written-off-adds-up": "UPDATE paygate_item SET written_off_minor = 1",
    "claims-add-up": "UPDATE paygate_item SET claimed_minor = claimed_minor + 1",
    "one-soft-claim": "UPDATE paygate_claim SET state = 'soft'",
    "ended-payments-hold-nothing": "UPDATE paygate_claim SET state = 'soft'",
    "open-pages-hold-nothing": "UPDATE paygate_claim SET state = 'hard'",
    "late-money-is-asked-about": "UPDATE paygate_attempt SET late_pending = 1",
    "credit-reserved-adds-up": "UPDATE paygate_credit SET reserved_minor = 1",
    "credit-used-adds-up": "UPDATE paygate_credit SET used_minor = 1",
    "receipts-are-accounted-for": "UPDATE paygate_receipt SET amount_minor = amount_minor + 1",
    "payments-are-accounted-for": "UPDATE paygate_credit SET canceled_minor = 1",
    "payment-received-adds-up": "UPDATE paygate_payment SET received_minor = received_minor + 1",
    "held-in-proportion": "UPDATE paygate_payment SET seen_minor = 1",
    "secrets-are-sealed": """UPDATE paygate_attempt SET action = '{"token": "x"}'""",
    "returned-at-most-received": "UPDATE paygate_payment SET returned_minor = 999999",
    "status-follows-attempt": "UPDATE paygate_payment SET status = 'declined'",
    "operations-add-up": "UPDATE paygate_payment SET refunding_minor = 1",
    "captured-within-authorized": "UPDATE paygate_payment SET authorized_minor = 1",
    "unknown-outcomes-are-followed-up": "UPDATE paygate_attempt SET next_check_at = NULL",
    "settlement-is-followed-up": "UPDATE paygate_payment SET settles_within_s = 86400",
    "events-have-no-gaps": "DELETE FROM paygate_outbox WHERE seq = 1",
}

# The same for rules about what the small ledger has not seen.
DAMAGE_OF_MORE = {
    "bank-lines-are-posted-once": "DELETE FROM paygate_posting WHERE ledger_account = 'bank'",
    "bank-opening-rebuilds": "DELETE FROM paygate_posting WHERE ledger_account = 'opening'",
    "bank-lines-are-explained": "UPDATE paygate_bank_match SET amount_minor = amount_minor + 1",
    "unexplained-rebuilds": "DELETE FROM paygate_posting WHERE ledger_account = 'unexplained'",
    "links-end": "UPDATE paygate_link SET end_at = NULL",
    "stored-accounts-are-current": "UPDATE paygate_account_settings SET revision = 9",
    "prepayment-rebuilds": "UPDATE paygate_item SET moved_minor = moved_minor + 1",
    "items-have-their-account": """
        UPDATE paygate_posting SET ledger_account = 'prepayment'
        WHERE ledger_account = 'receivable'
    """,
    "assignments-match": "UPDATE paygate_assignment_key SET customer = 'C-9'",
    "prepayments-are-replaced-by-invoices": "UPDATE paygate_prepayment SET replaced_by = NULL",
    "invoices-have-their-prepayments": """
        UPDATE paygate_item SET assignment_key = (
          SELECT assignment_key FROM paygate_item WHERE kind = 'prepayment' AND allocated_minor > 0)
        WHERE kind = 'invoice'
    """,
    "links-follow-their-items": "UPDATE paygate_link SET status = 'used'",
    "automatic-payments-are-made-once": (
        "UPDATE paygate_autopay_item SET outcome = 'live' WHERE outcome = 'paid'"
    ),
    "automatic-payments-are-agreed-to": (
        "UPDATE paygate_mandate SET ceiling_currency = 'USD', ceiling_minor = 1"
    ),
    "states-follow-from-episodes": "UPDATE paygate_customer SET state = 'limited'",
    "stages-come-in-order": "UPDATE paygate_stage SET done_on = '2000-01-01' WHERE place > 1",
    "promises-end": "UPDATE paygate_promise SET status = 'open'",
    "subscriptions-have-mandates": "UPDATE paygate_mandate SET ended_at = accepted_at",
    "documents-have-their-files": "UPDATE paygate_document SET digest = 'another'",
    "links-have-their-tokens": "UPDATE paygate_item SET linked = 1",
    "file-is-sound": "UPDATE paygate_item SET claimed_minor = -1",
    "no-rows-are-missing": "DELETE FROM paygate_attempt_try",
    "rows-are-as-written": "UPDATE paygate_receipt SET movement_id = movement_id || 'x'",
    "references-exist": "DELETE FROM paygate_payment WHERE status = 'declined'",
    "rows-belong-together": "UPDATE paygate_item SET currency = 'JPY'",
    "customers-are-known": "DELETE FROM paygate_customer WHERE tenant = 'main'",
    "entries-are-uniform": "UPDATE paygate_posting SET actor = 'nobody' WHERE id = 1",
    "unidentified-money-is-flagged": "UPDATE paygate_payment SET customer = '', payer_number = 'V'",
    "receipts-are-posted": "DELETE FROM paygate_posting WHERE ledger_account = 'in_transit'",
    "keys-are-kept": "DELETE FROM paygate_key",
    "payments-have-attempts": "DELETE FROM paygate_attempt WHERE state = 'unknown'",
    "refunds-are-followed-up": "UPDATE paygate_payment SET settle_check_at = NULL",
    "refunds-name-their-money": "UPDATE paygate_attempt SET movement = 'another'",
    "voids-are-posted": "UPDATE paygate_item SET status = 'draft'",
    "reviews-are-flagged": "UPDATE paygate_payment SET needs_review = 1 - needs_review",
    "callbacks-are-followed-up": "UPDATE paygate_inbox SET next_try_at = NULL",
    "holds-follow-refunds": "UPDATE paygate_hold SET state = 'held'",
    "reversals-match-payments": "UPDATE paygate_payment SET reversal = NULL",
    "money-goes-back-once": """
        CREATE TEMP TABLE twice AS SELECT * FROM paygate_receipt WHERE kind = 'reversal';
        UPDATE twice SET id = id || '-2', kind = 'refund', movement_id = 'till', number = 10000;
        INSERT INTO paygate_receipt SELECT * FROM twice LIMIT 1;
    """,
    "one-default-method": (
        "DROP INDEX paygate_method_default; UPDATE paygate_method SET is_default = 1"
    ),
    "settlements-are-posted": "UPDATE paygate_receipt SET fee_minor = 1",
    "write-offs-are-posted": "UPDATE paygate_write_off SET ledger_account = 'fees'",
    "numbers-are-counted": "UPDATE paygate_sequence SET value = value - 1",
    "mode-agrees": "UPDATE paygate_meta SET value = 'live' WHERE name = 'mode'",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger with a bit of everything: paid, overpaid, unknown, waiting on a page."""
    path, clock = tmp_path / "ledger.db", FakeClock()
    gateways = {"card": FakeGateway(clock=clock), "page": FakeGateway(Kind.REDIRECT, clock=clock)}
    with Cashier.open(
        f"sqlite:///{path}", gateways=gateways, clock=clock, token_keys=rich.KEYS
    ) as cashier:
        agreed = Mandate(text_version="1", accepted_at=clock.now())
        cashier.enroll("S", via="card", method="tok_visa", key="S", mandate=agreed)
        cashier.issue(number="S", customer="S", total=Money.of("USD", 5), due="2026-01-01")
        cashier.run_autopay()
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
    with closing(sqlite3.connect(path)) as connection, connection:
        twice = """
        INSERT INTO paygate_posting (tenant, entry, ledger_account, currency, amount_minor,
          customer, item, receipt, credit, payment, effective, booked_at, actor, checksum)
        SELECT tenant, 'late', ledger_account, currency, :sign * amount_minor, customer, item,
          receipt, credit, payment, effective, booked_at, actor, 0
        FROM paygate_posting WHERE entry LIKE 'void:%'
        """
        connection.execute(twice, {"sign": 1})
        connection.execute(twice.replace("'late'", "'later'"), {"sign": -1})

    with Cashier.open(f"sqlite:///{path}") as cashier:
        found = cashier.fsck()

    # Whoever adds rows by hand does not know their checksum either.
    assert {each.rule for each in found} == {"void-invoices-sum-to-zero", "rows-are-as-written"}


def test_every_rule_has_its_damage() -> None:
    assert {rule.name for rule in RULES} == DAMAGE.keys() | DAMAGE_OF_MORE.keys()


def damage(path: Path, statement: str) -> list[Violation]:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (trigger,) in triggers.fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.executescript(statement)
    with Cashier.open(f"sqlite:///{path}") as cashier:
        return cashier.fsck()


@pytest.mark.parametrize("rule", DAMAGE)
def test_damage_is_found(path: Path, rule: str) -> None:
    found = damage(path, DAMAGE[rule])

    assert rule in {violation.rule for violation in found}
    assert all(violation.subject and violation.detail for violation in found)


@pytest.fixture(scope="module")
def rich_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rich") / "ledger.db"
    rich.fill(path)
    return path


@pytest.mark.parametrize("rule", DAMAGE_OF_MORE)
def test_damage_of_more_is_found(rich_path: Path, tmp_path: Path, rule: str) -> None:
    path = Path(shutil.copy(rich_path, tmp_path / "ledger.db"))

    found = damage(path, DAMAGE_OF_MORE[rule])

    assert rule in {violation.rule for violation in found}


def test_a_damaged_file_is_not_a_sound_ledger(rich_path: Path, tmp_path: Path) -> None:
    whole = rich_path.read_bytes()
    size, rolls = 4096, random.Random(7)  # noqa: S311  (no secret)
    sound = list[int]()
    for page in range(1, len(whole) // size, 3):
        path = tmp_path / f"{page}.db"
        damaged = whole[: page * size] + rolls.randbytes(size) + whole[(page + 1) * size :]
        path.write_bytes(damaged)
        try:
            with Cashier.open(f"sqlite:///{path}") as cashier:
                found = cashier.fsck()
        except LedgerCorrupt:
            continue
        if not any(each.rule == "file-is-sound" for each in found):
            sound.append(page)

    assert len(whole) // size > 100
    assert sound == []


def test_a_rule_that_many_rows_break_names_a_hundred_and_counts_the_others(
    rich_path: Path, tmp_path: Path
) -> None:
    path = Path(shutil.copy(rich_path, tmp_path / "ledger.db"))

    found = damage(path, "UPDATE paygate_posting SET effective = '2020-01-01'")

    changed = [each for each in found if each.rule == "rows-are-as-written"]
    assert len(changed) == NAMED_MAX + 1
    assert changed[-1].detail.endswith("more rows violate this rule")


def test_chosen_rules_alone_are_checked_and_told(path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    with Cashier.open(f"sqlite:///{path}") as cashier:
        found = cashier.fsck(
            rules=["claims-add-up", "entries-balance"],
            progress=lambda *step: told.append(step),
        )

        with pytest.raises(InvalidValue, match="no rule 'claims'"):
            cashier.fsck(rules=["claims"])

    assert found == []
    assert told == [("entries-balance", 1, 2), ("claims-add-up", 2, 2)]


def test_a_decision_of_a_person_makes_so_much_right_and_no_more(tmp_path: Path) -> None:
    path, card = tmp_path / "ledger.db", FakeGateway()
    with Cashier.open(f"sqlite:///{path}", gateways={"card": card}) as cashier:
        cashier.issue(number="A", customer="C", total=Money.of("USD", 84), due="2031-03-01")
        payment = cashier.authorize("A", via="card", method="tok_visa", key="a")
        card.script("tok_other_amount")
        payment = cashier.capture(payment, key="b").payment
        payment = cashier.assign(payment, ["A"], reason="the customer agreed")
        sound = cashier.fsck()

    found = damage(path, "UPDATE paygate_payment SET collected_minor = collected_minor + 1")

    assert (payment.received, sound) == (Money.of("USD", 168), [])
    assert "captured-within-authorized" in {each.rule for each in found}


def test_an_authorisation_of_which_too_much_came_and_all_went_back_is_right() -> None:
    card = FakeGateway()
    cashier = Cashier.in_memory(gateways={"card": card})
    cashier.issue(number="A", customer="C", total=Money.of("USD", 84), due="2031-03-01")
    payment = cashier.authorize("A", via="card", method="tok_visa", key="a")
    card.script("tok_other_amount")
    payment = cashier.capture(payment, key="b").payment

    payment = cashier.cancel(payment, key="c").payment

    assert not payment.conflicted
    assert cashier.fsck() == []
