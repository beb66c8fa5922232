"""Importing and reconciling bank statements: each movement once, and the bank's balance."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from paygate import BankLine, Cashier, Customer, Money, Payment, Reversal
from paygate.domain.bank_line import Certainty, LineClass, LineState, MatchKind, MatchRule
from paygate.errors import CreditConsumed, ImportRejected, InvalidValue, RecordNotFound, Refused
from paygate.ledger import reversals
from paygate.service.flow import look
from paygate.testing import FakeClock
from tests.reading import every_event
from tests.statements.vectors import Vector, vectors
from tests.support.statements import entry, statement

US = "1234567890"
EU = "DE02120300000000202051"


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 5, 12, 12, tzinfo=UTC))


@pytest.fixture
def cashier(clock: FakeClock) -> Iterator[Cashier]:
    with Cashier.in_memory(clock=clock) as made:
        made.set_bank_account("main", number=US, currency="USD")
        yield made
        assert made.fsck() == []


def check(cashier: Cashier, number: str = "1047", amount: str = "100.00") -> Payment:
    """Record a check for an invoice of its own."""
    invoice = cashier.issue(
        number=f"INV-{number}",
        customer=Customer(id=f"C-{number}", name="Baker Ltd"),
        total=usd(amount),
        due="2026-05-20",
    )
    return cashier.record([invoice], by="check", reference=number, key=f"check {number}")


def files(protocols: Path, *cases: str) -> list[Vector]:
    return [each for each in vectors(protocols) if each.name.startswith(cases)]


def bring(cashier: Cashier, vector: Vector) -> None:
    with vector.path.open("rb") as file:
        cashier.import_statement(file, account="main", columns=vector.columns)


def lines(cashier: Cashier) -> list[BankLine]:
    return cashier.bank_lines(oldest_first=True, limit=1000)


def only(cashier: Cashier, state: str) -> BankLine:
    [line] = cashier.bank_lines(state=LineState(state), limit=1000)
    return line


def balance(cashier: Cashier) -> Money:
    [account] = cashier.bank_accounts()
    return account.balance


CHECK = ("07-", "09-", "10-", "11-")


def test_five_formats_in_any_order_tell_of_the_same_three_movements(
    protocols: Path, clock: FakeClock
) -> None:
    found = files(protocols, *CHECK)
    for order in list(itertools.permutations(found))[::7]:
        with Cashier.in_memory(clock=clock) as cashier:
            cashier.set_bank_account("main", number=US, currency="USD")
            for vector in (*order, *order):
                bring(cashier, vector)
            assert [str(each.amount) for each in lines(cashier)] == [
                "100.00 USD",
                "-100.00 USD",
                "-25.00 USD",
            ]
            assert balance(cashier) == usd("975.00")
            assert cashier.fsck() == []


def test_the_bank_returns_a_check_that_was_recorded(
    protocols: Path, cashier: Cashier, clock: FakeClock
) -> None:
    payment = check(cashier)
    before = cashier.invoice("INV-1047")
    clock.advance(timedelta(days=6))

    bring(cashier, files(protocols, "07-")[0])

    deposit, returned, charge = lines(cashier)
    assert deposit.line_class is LineClass.MATCHED
    [proposal] = cashier.line_proposals(returned)
    assert (proposal.certainty, proposal.subjects) == (Certainty.STRONG, (payment.id,))
    assert cashier.invoice("INV-1047") == before
    assert charge.state is LineState.OPEN

    cashier.accept_proposal(returned)

    _, returned, charge = lines(cashier)
    assert [each.kind for each in returned.matches] == [MatchKind.REVERSAL]
    assert [each.kind for each in charge.matches] == [MatchKind.CHARGE]
    assert cashier.invoice("INV-1047").open == usd("100.00")
    reversal = reversal_of(cashier, payment)
    assert reversal is not None
    assert (reversal.on.isoformat(), reversal.bank_charge) == ("2026-05-18", usd("25.00"))
    assert reversal.reason == "check returned by the bank: AM04"
    assert balance(cashier) == usd("975.00")
    assert posted(cashier) == {"bank": -2500 + 100000, "bank_charge": 2500, "opening": -100000} | {
        "billed": -10000,
        "receivable": 10000,
    }


def posted(cashier: Cashier) -> dict[str, int]:
    """Return the balances of the ledger's accounts that are not zero."""
    sql = (
        "SELECT ledger_account AS name, sum(amount_minor) AS minor FROM paygate_posting "
        "GROUP BY ledger_account ORDER BY ledger_account"
    )
    rows = cashier._run(look(lambda tx: tx.all(sql, {})))
    return {row["name"]: int(row["minor"]) for row in rows if row["minor"]}


def reversal_of(cashier: Cashier, payment: Payment) -> Reversal | None:
    found = cashier._run(look(lambda tx: reversals.of_payment(tx, payment.id)))
    return None if found is None else found[0]


def test_a_returned_check_is_reversed_without_a_clerk_if_the_account_allows_it(
    protocols: Path, cashier: Cashier, clock: FakeClock
) -> None:
    cashier.set_bank_account(
        "main", number=US, currency="USD", auto_reverse_checks=True, check_fee=usd("25.00")
    )
    payment = check(cashier)
    clock.advance(timedelta(days=6))

    bring(cashier, files(protocols, "07-")[0])

    assert [each.state for each in lines(cashier)] == [LineState.EXPLAINED] * 3
    reversal = reversal_of(cashier, payment)
    assert reversal is not None
    assert cashier.invoice(f"{reversal.number}-FEE").open == usd("25.00")


@pytest.mark.parametrize("auto", [False, True])
def test_two_checks_with_one_number_are_for_a_clerk(
    protocols: Path, cashier: Cashier, auto: bool
) -> None:
    cashier.set_bank_account("main", number=US, currency="USD", auto_reverse_checks=auto)
    first = check(cashier, "1047")
    second = check(cashier, "001047")

    bring(cashier, files(protocols, "07-")[0])

    _, returned, _ = lines(cashier)
    assert returned.state is LineState.OPEN
    assert {each.subjects for each in cashier.line_proposals(returned)} == {
        (first.id,),
        (second.id,),
    }


def test_a_check_that_a_clerk_reversed_before_is_settled_by_the_line(
    protocols: Path, cashier: Cashier, clock: FakeClock
) -> None:
    payment = check(cashier)
    clock.advance(timedelta(days=6))
    cashier.reverse(payment, reason="the bank called", bank_charge=None)

    bring(cashier, files(protocols, "07-")[0])

    _, returned, charge = lines(cashier)
    assert [each.kind for each in returned.matches] == [MatchKind.RECEIPT]
    assert [each.kind for each in charge.matches] == [MatchKind.FEE]
    assert posted(cashier)["bank_charge"] == 2500


def test_undoing_each_explanation_leaves_everything_as_before(
    protocols: Path, cashier: Cashier, clock: FakeClock
) -> None:
    check(cashier)
    clock.advance(timedelta(days=6))
    bring(cashier, files(protocols, "07-")[0])
    before, invoice = posted(cashier), cashier.invoice("INV-1047")
    returned = lines(cashier)[1]

    for _ in range(3):
        cashier.accept_proposal(returned)
        cashier.reopen_line(returned, reason="the wrong one")

        assert cashier.fsck() == []
        # The bank's charge stays posted: it is a fact, whatever it was for.
        charged = {"bank_charge": 2500, "unexplained": before["unexplained"] - 2500}
        assert posted(cashier) == before | charged
        assert cashier.invoice("INV-1047").open == invoice.open

    cashier.accept_proposal(returned)
    with pytest.raises(Refused, match="reopen it to ignore it"):
        cashier.ignore_line(returned, reason="x")


def test_a_reversal_that_the_rules_refuse_leaves_the_line_open(
    protocols: Path, cashier: Cashier, clock: FakeClock
) -> None:
    cashier.set_bank_account("main", number=US, currency="USD", auto_reverse_checks=True)
    payment = cashier.record(
        [], by="check", reference="1047", amount=usd("100"), key="k", customer="C"
    )
    other = cashier.issue(number="INV-9", customer="C", total=usd("60"), due="2026-05-30")
    cashier.pay_from_credit([other], key="used")
    clock.advance(timedelta(days=6))

    bring(cashier, files(protocols, "07-")[0])

    returned = lines(cashier)[1]
    assert (returned.state, returned.line_class) == (LineState.OPEN, LineClass.RETURNED)
    assert reversal_of(cashier, payment) is None
    with pytest.raises(CreditConsumed):
        cashier.accept_proposal(returned)


def test_one_deposit_of_several_checks(cashier: Cashier) -> None:
    for number, amount in (("1", "10.00"), ("2", "20.00"), ("3", "30.00")):
        check(cashier, number, amount)

    imported(cashier, entry(60_00, code="PMNT/RCHQ/URCQ", currency="USD", day="2026-05-13"))

    line = only(cashier, "explained")
    assert [str(each.amount) for each in line.matches] == ["10.00 USD", "20.00 USD", "30.00 USD"]
    assert "in_transit" not in posted(cashier)


def imported(cashier: Cashier, *entries: str, account: str = US, currency: str = "USD") -> None:
    cashier.import_statement(statement(account, currency, *entries), account="main")


def test_a_transfer_that_was_recorded_is_never_booked_a_second_time(cashier: Cashier) -> None:
    invoice = cashier.issue(number="INV-7010", customer="C-1", total=usd("200"), due="2026-05-20")
    cashier.record([invoice], by="transfer", key="by hand")

    imported(cashier, entry(200_00, text="INV-7010", currency="USD", day="2026-05-13"))

    line = only(cashier, "explained")
    assert [each.kind for each in line.matches] == [MatchKind.RECEIPT]
    assert len(cashier.payments()) == 1
    assert cashier.balance("C-1")["USD"] == usd("0")


def test_a_recorded_transfer_of_another_customer_takes_no_money_that_names_an_invoice(
    cashier: Cashier,
) -> None:
    other = cashier.issue(number="INV-1111", customer="C-1", total=usd("200"), due="2026-05-20")
    cashier.record([other], by="transfer", key="by hand")
    cashier.issue(number="INV-2222", customer="C-2", total=usd("200"), due="2026-05-20")

    imported(cashier, entry(200_00, text="INV-2222", currency="USD", day="2026-05-13"))

    line = only(cashier, "explained")
    assert [each.kind for each in line.matches] == [MatchKind.PAYMENT]
    assert cashier.invoice("INV-2222").status == "paid"


def test_a_transfer_without_a_key_may_be_a_recorded_one(cashier: Cashier) -> None:
    invoice = cashier.issue(number="INV-1111", customer="C-1", total=usd("200"), due="2026-05-20")
    cashier.record([invoice], by="transfer", key="by hand")

    imported(cashier, entry(200_00, text="thank you", currency="USD", day="2026-05-13"))

    line = only(cashier, "open")
    [proposal] = cashier.line_proposals(line)
    assert (proposal.kind, proposal.certainty) == (MatchKind.RECEIPT, Certainty.STRONG)
    cashier.accept_proposal(line)
    assert len(cashier.payments()) == 1


def test_two_equal_entries_of_one_day_are_two_payments_and_the_same_file_again_is_none(
    cashier: Cashier,
) -> None:
    cashier.set_bank_account("main", number=US, currency="USD", trusts_line_ids=False)
    same = [entry(5_00, text="gift", currency="USD", line_id="B") for _ in range(2)]
    first = statement(US, "USD", *same, name="S1")
    overlapping = statement(US, "USD", *same, entry(7_00, currency="USD"), name="S1")

    for content in (first, first, overlapping, first):
        cashier.import_statement(content, account="main")

    assert sorted(each.amount.minor for each in lines(cashier)) == [500, 500, 700]
    changed = [each for each in every_event(cashier) if each.type == "statement.changed"]
    assert len(changed) == 1


def test_a_doubled_statement_in_one_file(cashier: Cashier) -> None:
    cashier.set_bank_account("main", number=US, currency="USD", trusts_line_ids=False)
    content = statement(US, "USD", entry(5_00, currency="USD"), entry(5_00, currency="USD"))
    start, end = content.index(b"<Stmt>"), content.index(b"</Stmt>") + len(b"</Stmt>")
    doubled = content[:end] + content[start:end] + content[end:]

    done = cashier.import_statement(doubled, account="main")

    assert (done.new, done.known) == (2, 2)


def test_other_formats_only_inform_about_entries_without_an_id(cashier: Cashier) -> None:
    row = entry(5_00, currency="USD", line_id="")

    for kind in ("camt.052", "camt.054", "camt.053", "camt.052"):
        cashier.import_statement(statement(US, "USD", row, kind=kind), account="main")

    assert len(lines(cashier)) == 1


def test_entries_that_are_not_booked_are_left_out(cashier: Cashier) -> None:
    for status in ("PDNG", "INFO", "FUTR"):
        imported(cashier, entry(5_00, currency="USD", status=status))

    assert lines(cashier) == []


def test_a_statement_that_does_not_add_up_is_evidence_of_money(
    protocols: Path, clock: FakeClock
) -> None:
    with Cashier.in_memory(clock=clock) as cashier:
        cashier.set_bank_account("main", number="NL41MOCK0000000001", currency="EUR")
        for vector in files(protocols, "13-"):
            bring(cashier, vector)

        assert [each.amount.minor for each in lines(cashier)] == [15000, 6100]
        [wrong] = [each for each in cashier.bank_statements() if each.missing.minor]
        assert wrong.missing == Money("EUR", 6100)
        events = [each for each in every_event(cashier) if each.type == "statement.mismatch"]
        assert [each.data["missing_minor"] for each in events] == [6100]
        assert balance(cashier) == Money("EUR", 12751550)
        assert cashier.fsck() == []


def test_a_strict_account_refuses_a_statement_that_does_not_add_up(cashier: Cashier) -> None:
    cashier.set_bank_account("main", number=US, currency="USD", strict=True)
    wrong = statement(US, "USD", entry(5_00, currency="USD"), opening=0, closing=6_00)

    with pytest.raises(ImportRejected, match="differ from its entries by 100 minor units"):
        cashier.import_statement(wrong, account="main")

    assert lines(cashier) == []
    assert cashier.bank_statements() == []


def test_a_gap_between_statements_is_reported_and_never_netted(cashier: Cashier) -> None:
    first = statement(US, "USD", opening=0, closing=0, day="2026-05-12")
    later = statement(
        US, "USD", entry(5_00, currency="USD"), opening=1_00, closing=6_00, day="2026-05-14"
    )

    cashier.import_statement(first, account="main")
    done = cashier.import_statement(later, account="main")

    assert done.gaps == 1
    assert [each.gap.minor for each in cashier.bank_statements()] == [100, 0]
    assert balance(cashier) == usd("5.00")


def test_a_statement_from_before_the_first_one_moves_the_opening_balance(cashier: Cashier) -> None:
    later = statement(
        US, "USD", entry(5_00, currency="USD"), opening=1_00, closing=6_00, day="2026-05-14"
    )
    first = statement(
        US,
        "USD",
        entry(1_00, currency="USD", day="2026-05-12"),
        opening=0,
        closing=1_00,
        day="2026-05-12",
    )

    for content in (later, first):
        cashier.import_statement(content, account="main")
        assert balance(cashier) == usd("6.00")


@pytest.mark.parametrize(
    ("number", "currency", "reason"),
    [("999", "USD", "it is of account '999'"), (US, "EUR", "it is in 'EUR'")],
)
def test_a_statement_of_another_account_or_currency(
    cashier: Cashier, number: str, currency: str, reason: str
) -> None:
    foreign = statement(number, currency, entry(5_00, currency=currency))

    with pytest.raises(ImportRejected, match=reason):
        cashier.import_statement(foreign, account="main")

    assert lines(cashier) == []


def test_an_account_that_does_not_exist(cashier: Cashier) -> None:
    with pytest.raises(RecordNotFound, match="there are: main"):
        cashier.import_statement(statement(US, "USD"), account="other")


def test_a_key_of_two_customers_is_for_a_clerk(cashier: Cashier) -> None:
    for name, customer in (("INV-7010", "C-1"), ("INV-8001", "C-2")):
        cashier.issue(number=name, customer=customer, total=usd("50"), due="2026-05-20")

    imported(cashier, entry(100_00, text="INV-7010 INV-8001", currency="USD"))

    line = only(cashier, "open")
    assert {each.subjects for each in cashier.line_proposals(line)} == {
        ("INV-7010",),
        ("INV-8001",),
    }
    with pytest.raises(InvalidValue, match="has 2 proposals; name one of them"):
        cashier.accept_proposal(line)
    cashier.accept_proposal(line, next(iter(cashier.line_proposals(line))))
    assert only(cashier, "explained").id == line.id


def test_a_check_on_the_statement_that_nobody_recorded_is_a_payment(cashier: Cashier) -> None:
    cashier.issue(number="INV-7010", customer="C-1", total=usd("50"), due="2026-05-20")

    imported(
        cashier,
        entry(50_00, text="INV-7010", check="77", code="PMNT/RCHQ/URCQ", currency="USD"),
    )

    [payment] = cashier.payments()
    assert (payment.kind, payment.reference) == ("check", "77")
    assert "in_transit" not in posted(cashier)
    assert "unexplained" not in posted(cashier)


def test_what_an_automatic_match_brought_can_be_undone_and_assigned(cashier: Cashier) -> None:
    for name in ("INV-7010", "INV-7011"):
        cashier.issue(number=name, customer="C-1", total=usd("50"), due="2026-05-20")
    imported(cashier, entry(50_00, text="INV-7010", currency="USD"))
    line = only(cashier, "explained")

    cashier.reopen_line(line, reason="it was for the other one")
    assert cashier.invoice("INV-7010").status == "open"
    assert posted(cashier)["unexplained"] == -50_00
    cashier.assign_line(line, ["INV-7011"], reason="the payer called")

    assert cashier.invoice("INV-7011").status == "paid"
    assert "unexplained" not in posted(cashier)


def test_money_of_nobody_stays_unexplained(cashier: Cashier) -> None:
    imported(cashier, entry(1_000_00, text="capital", currency="USD"))
    line = only(cashier, "open")
    assert cashier.line_proposals(line) == []

    cashier.ignore_line(line, reason="the owner's capital")

    assert only(cashier, "ignored").note == "the owner's capital"
    assert posted(cashier) == {"bank": 1_000_00, "unexplained": -1_000_00}
    cashier.reopen_line(line, reason="it was a customer's after all")
    cashier.assign_line(line, customer="C-1", reason="a deposit")
    assert posted(cashier) == {"bank": 1_000_00, "customer_credit": -1_000_00}


def test_accepting_teaches_the_account_of_a_payer(cashier: Cashier) -> None:
    account = "NL49INGB0004000000"
    for name in ("A-1", "A-2"):
        cashier.issue(number=name, customer="C-1", total=usd("50"), due="2026-05-20")
    imported(cashier, entry(30_00, text="?", account=account, currency="USD"))
    cashier.assign_line(only(cashier, "open"), ["A-1"], reason="the payer called")

    imported(cashier, entry(33_00, text="?", account=account, currency="USD"))

    line = only(cashier, "open")
    assert line.party_account == "0000"
    assert {each.rule for each in cashier.line_proposals(line)} == {MatchRule.PAYER_ACCOUNT}


def test_a_charge_of_the_bank_is_posted_unless_the_account_says_otherwise(cashier: Cashier) -> None:
    charge = entry(-3_00, code="PMNT/IDDT/CHRG", currency="USD", text="monthly")
    imported(cashier, charge)
    assert posted(cashier) == {"bank": -3_00, "bank_charge": 3_00}

    cashier.set_bank_account("main", number=US, currency="USD", posts_fees=False)
    imported(cashier, entry(-4_00, code="PMNT/IDDT/CHRG", currency="USD"))
    line = only(cashier, "open")
    cashier.accept_proposal(line)
    assert posted(cashier) == {"bank": -7_00, "bank_charge": 7_00}


def test_money_recorded_by_hand_that_no_statement_has(cashier: Cashier, clock: FakeClock) -> None:
    cashier.import_statement(
        statement(US, "USD", opening=0, closing=0, day="2026-05-11"), account="main"
    )
    payment = check(cashier)
    clock.advance(timedelta(days=20))

    [receipt] = cashier.receipts_not_on_statement("main")

    assert receipt.payment == payment.id
    assert cashier.receipts_not_on_statement("main", days=30) == []
