"""The demo: the money in the file that it leaves, not only what it says."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from paygate import Cashier, Money
from paygate.cli.app import app
from paygate.cli.demo import screen
from paygate.cli.demo.cast import CHECK, KINDS, LOST
from paygate.cli.demo.till import Till, TillBalance
from paygate.domain.invoice import InvoiceStatus
from paygate.domain.payment import PaymentStatus
from paygate.ledger.book import Violation
from tests.cli.conftest import Run


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Play it once for all who only look: the file that it left, and what it said."""
    file = tmp_path_factory.mktemp("demo") / "one.db"
    done = CliRunner().invoke(app, ["demo", "--file", str(file)], env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    return file, done.stdout


@pytest.fixture
def played(shown: tuple[Path, str]) -> Cashier:
    return Cashier.open(f"sqlite:///{shown[0]}")


def test_it_leaves_sound_books(played: Cashier) -> None:
    with played as cashier:
        assert cashier.fsck() == []


def test_it_collects_by_all_five_kinds_in_many_currencies(played: Cashier) -> None:
    with played as cashier:
        payments = cashier.payments(limit=1_000)
        invoices = cashier.invoices(limit=1_000)

    paid = {one.kind for one in payments if one.status is PaymentStatus.SUCCEEDED}
    assert paid >= set(KINDS)
    assert len(invoices) >= 240
    assert {one.total.currency for one in invoices} >= {"USD", "EUR", "JPY", "KWD"}
    assert {one.status for one in payments} >= {
        PaymentStatus.DECLINED,
        PaymentStatus.FAILED,
        PaymentStatus.EXPIRED,
    }
    assert not any(one.status is PaymentStatus.UNKNOWN for one in payments)
    assert not any(one.needs_review or one.conflicted for one in payments)


def test_what_was_paid_on_invoices_is_what_came_in(played: Cashier) -> None:
    with played as cashier:
        payments = cashier.payments(limit=1_000)
        invoices = cashier.invoices(limit=1_000)
        customers = {one.customer for one in invoices}
        balances = [cashier.balance(customer) for customer in customers]

    for currency in {one.total.currency for one in invoices}:
        received = sum(
            p.received.minor - p.returned.minor for p in payments if p.amount.currency == currency
        )
        allocated = sum(i.allocated.minor for i in invoices if i.total.currency == currency)
        credit = sum(b[currency].minor for b in balances if currency in b)
        assert received == allocated + credit


def test_a_lost_answer_is_charged_at_most_once_and_paid_in_the_end(played: Cashier) -> None:
    with played as cashier:
        for number in LOST:
            invoice = cashier.invoice(number)
            assert invoice.status is InvoiceStatus.PAID
            assert invoice.allocated == invoice.total


def test_a_bounced_check_leaves_its_invoice_open_and_a_fee(played: Cashier) -> None:
    with played as cashier:
        check, fee = cashier.invoice(CHECK), cashier.invoice("REV-1-FEE")

    assert check.open == check.total
    assert fee.open == Money.of(check.total.currency, 25)
    assert fee.customer == check.customer


def test_an_overpayment_becomes_credit_that_pays_the_next_invoice(played: Cashier) -> None:
    with played as cashier:
        over = [one for one in cashier.payments(limit=1_000) if one.credited]
        by_credit = cashier.invoice("INV-2026-0241")
        left = cashier.balance(by_credit.customer)

    [slip] = over
    assert slip.received == slip.amount * 2
    assert by_credit.status is InvoiceStatus.PAID
    assert left == {slip.amount.currency: slip.credited - by_credit.total}


def test_the_processor_charged_each_payment_once(folder: Path) -> None:
    with Till(f"sqlite:///{folder / 'till.db'}") as till:
        till.import_invoices()
        payments = till.collect(lambda *_: None)
        refused = till.pay_again()
        found = till.inquire()

        assert refused is not None
        assert [lost.before.status for lost in found] == [PaymentStatus.UNKNOWN] * len(LOST)
        assert [lost.charges for lost in found] == [lost.receipts for lost in found]
        assert {lost.charges for lost in found} == {0, 1}
        till.try_again(found)
        till.pass_days(payments)
        charged = [entry.our_ref for entry in till.processor.journal]
        assert len(charged) == len(set(charged))
        assert not any(balance.difference for balance in till.compare())


def test_it_ends_with_a_payment_whose_response_was_lost(
    run: Run, shown: tuple[Path, str], played: Cashier
) -> None:
    file, told = shown
    [line] = [line for line in told.splitlines() if "payment show" in line]

    history = run(*line.split()[1:])

    assert history.code == 0
    assert "payment.unknown" in history.out
    assert "payment.succeeded" in history.out
    with played as cashier:
        [paid] = cashier.payments(invoice=next(iter(LOST)))
    assert paid.id in line
    assert "recovery is overdue" in " ".join(told.split())
    status = run("status", "--ledger", f"sqlite:///{file}")
    assert (status.code, "recovery-overdue" in status.out) == (1, True)


def test_it_is_the_same_in_another_process_and_fits_a_narrow_pipe(
    shell: Run, shown: tuple[Path, str]
) -> None:
    file, first = shown
    again = file.with_name("two.db")

    second = shell("demo", "--file", str(again), COLUMNS="80")

    assert second.code == 0, second.err
    assert second.err == ""
    assert first.replace(file.name, "X") == second.out.replace(again.name, "X")
    assert "\x1b" not in second.out
    # The path of the ledger is never broken, however long it is.
    lines = [line for line in second.out.splitlines() if str(again) not in line]
    assert max(map(len, lines)) <= 80
    assert "0 violations" in second.out
    assert len(second.out.splitlines()) < 130


def test_it_replaces_no_file_and_fails_where_a_check_fails(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "paygate-demo.db").write_text("mine")
    (folder / "paygate-demo-2.db-wal").write_text("left over")
    broken = Violation("entries-balance", "pay_1", "USD sums to 1")
    monkeypatch.setattr(Till, "check_books", lambda _: [broken])

    done = run("demo")

    assert done.code == 1
    assert "entries-balance" in done.out
    assert "paygate-demo-3.db" in done.out
    assert (folder / "paygate-demo.db").read_text() == "mine"


def test_a_folder_that_is_not_there_is_told(run: Run) -> None:
    done = run("demo", "--file", "nowhere/demo.db")

    assert done.code == 4
    assert "--file" in done.err


def test_it_does_not_run_in_production(run: Run, folder: Path) -> None:
    done = run("demo", PAYGATE_ENV="production")

    assert done.code == 2
    assert not list(folder.glob("*demo*"))


def test_a_difference_from_the_processor_fails_it() -> None:
    shown = screen.Screen(Console(quiet=True))
    balance = TillBalance(Money("USD", 5), Money("USD", 4))

    assert not shown.checked([], [balance], [])


def test_a_terminal_shows_that_something_goes_on_and_a_pipe_does_not() -> None:
    for terminal in (True, False):
        out = io.StringIO()

        with screen.Screen(Console(file=out, force_terminal=terminal)).working("days pass"):
            pass

        assert ("days pass" in out.getvalue()) is terminal


def test_it_plays_on_no_ledger_that_holds_something(run: Run, folder: Path) -> None:
    with Cashier.open("sqlite:///real.db") as cashier:
        cashier.issue(number="A-1", customer="C", total=Money.of("USD", 1), due="2026-12-01")

    done = run("demo", "--ledger", "sqlite:///real.db")

    assert done.code == 2
    assert "this ledger is not empty" in done.err
    with Cashier.open("sqlite:///real.db") as cashier:
        assert [each.number for each in cashier.invoices()] == ["A-1"]
        assert cashier.payments() == []
