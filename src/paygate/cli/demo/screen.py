"""The demo on the screen: a few acts, each with one line that says what to look at."""

from __future__ import annotations

from collections import Counter
from itertools import count
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from paygate.cli import show
from paygate.cli.demo.cast import KINDS
from paygate.cli.demo.till import Till
from paygate.domain.invoice import InvoiceStatus
from paygate.domain.money import Money
from paygate.domain.payment import PaymentStatus
from paygate.errors import NotAllowedHere, StoreError
from paygate.ledger.book import RULES
from paygate.testing.fake.guard import refuse_production

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from rich.console import Console

    from paygate.cli.demo.till import Bounced, Lost, Overpaid, TillBalance
    from paygate.cli.grid import Grid
    from paygate.domain.invoice import Invoice
    from paygate.domain.payment import Payment
    from paygate.errors import Refused
    from paygate.ledger.book import Violation

_INDENT: Final = 3
_STATUSES: Final[Mapping[PaymentStatus, str]] = {
    PaymentStatus.SUCCEEDED: "succeeded",
    PaymentStatus.PROCESSING: "under way",
    PaymentStatus.REQUIRES_ACTION: "payer to act",
    PaymentStatus.DECLINED: "declined",
    PaymentStatus.FAILED: "failed",
    PaymentStatus.EXPIRED: "expired",
    PaymentStatus.UNKNOWN: "unknown",
}


def play(file: Path, console: Console, ledger: str | None = None) -> bool:
    """
    Play the demo on a new ledger at *file*, and return whether every check passed.

    The URL of an empty *ledger* can be given instead.
    """
    refuse_production()
    place = None if ledger else fresh(file)
    with Till(ledger or f"sqlite:///{place}") as till:
        if till.cashier.payments(limit=1) or till.cashier.invoices(limit=1):
            raise NotAllowedHere("this ledger is not empty; the demo plays on an empty one")
        screen = Screen(console)
        screen.title()
        screen.imported(till.import_invoices().issued)
        payments = screen.collecting(till.collect)
        screen.collected(payments)
        refused = till.pay_again()
        found = till.inquire()
        screen.found_out(refused, found, till.try_again(found))
        with screen.working("days pass at the processors"):
            payments = till.pass_days(payments)
        screen.passed(payments)
        screen.credited(till.use_credit(payments))
        screen.bounced(till.bounce())
        with screen.working("checking the books"):
            violations, balances = till.check_books(), till.compare()
        screen.standing(till.invoices())
        sound = screen.checked(violations, balances, found)
        screen.end(place, found[0].before.id)
    return sound


def fresh(file: Path) -> Path:
    """Create and return *file*, or the next free ``file-2``, ``file-3`` …; nothing is replaced."""
    for number in count(1):
        name = file if number == 1 else file.with_stem(f"{file.stem}-{number}")
        # A journal left over from a ledger that was deleted would be read into the new one.
        if Path(f"{name}-wal").exists() or Path(f"{name}-journal").exists():
            continue
        try:
            name.touch(exist_ok=False)
        except FileExistsError:
            continue
        except OSError as error:
            raise StoreError(
                f"the ledger {name} cannot be created: {error.strerror}; name another with --file"
            ) from None
        return name
    raise AssertionError("there are always more numbers")


class Screen:
    """Writes the acts; it knows how things look, but not how they are done."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._act = count(1)

    def working(self, what: str) -> AbstractContextManager[object]:
        """Show on a terminal that work is in progress; write nothing to a pipe."""
        return self._console.status(f"  {what} …")

    def title(self) -> None:
        """Write the title."""
        self._console.print()
        self._console.print(
            Text.assemble(
                ("paygate demo", "bold"),
                "  a day at the till: real ledger, fake gateways, no network",
            )
        )

    def imported(self, invoices: Sequence[Invoice]) -> None:
        """Show what the file contained."""
        self._begin(
            f"{len(invoices)} invoices imported from a CSV file",
            "Yen and won have no decimals, dinars three: all are whole minor units.",
        )
        table = _table("Currency", ">Invoices", ">Total")
        by_currency = _by_currency(invoice.total for invoice in invoices)
        for currency, totals in by_currency.items():
            show.add(table, currency, len(totals), Money.sum(currency, totals))
        self._print(table)

    def collecting(
        self, collect: Callable[[Callable[[int, int], None]], list[Payment]]
    ) -> list[Payment]:
        """Show the progress of the work."""
        self._begin(
            "Collected by card, e-check, redirect, cash voucher and Bitcoin",
            "One invoice waits for a check. A decline is an outcome, not an exception.",
        )
        with Progress(
            TextColumn("  "), BarColumn(40), MofNCompleteColumn(), console=self._console
        ) as progress:
            task = progress.add_task("collecting")
            return collect(lambda done, total: progress.update(task, completed=done, total=total))

    def collected(self, payments: Sequence[Payment]) -> None:
        """Show the states of the payments."""
        self._console.print()
        self._print(_by_kind(payments))
        self._console.print()
        self._say(f"Declined: {_reasons(payments)}.")

    def found_out(
        self, refused: Refused | None, found: Sequence[Lost], again: Sequence[Payment]
    ) -> None:
        """Show what became of the payments whose response was lost."""
        self._begin(
            f"{len(found)} responses were lost, and nobody pays twice",
            "A timeout is not a failure. Until an inquiry clears it, paying again is refused:",
        )
        if refused is not None:
            self._say(f"{type(refused).__name__}: {refused.message}", style="yellow")
            self._console.print()
        table = _table("Invoice", "What went wrong", "Before", "After inquiry", ">Charged")
        for lost in found:
            show.add(
                table,
                lost.invoice,
                lost.mishap.text,
                show.status(lost.before.status),
                show.status(lost.after.status),
                _times(lost.charges),
            )
        self._print(table)
        self._console.print()
        for payment in again:
            self._say(
                f"Nothing was charged, so a new key can try again: {payment.status}, "
                f"{show.amount(payment.received)}."
            )

    def passed(self, payments: Sequence[Payment]) -> None:
        """Show the states of the payments after payers and banks have acted."""
        self._begin(
            "Four days later",
            "Payers have paid, e-checks have settled or bounced, recover() has inquired.",
        )
        self._print(_by_kind(payments))

    def credited(self, overpaid: Overpaid) -> None:
        """Show what happened to the excess of an overpayment."""
        payment, credit = overpaid.payment, overpaid.from_credit
        self._begin(
            "A slip was paid twice over; the excess is credit",
            "Money that arrives is never refused and never lost.",
        )
        table = _table("", ">Amount", "")
        show.add(table, "amount on the slip", payment.amount, payment.id)
        show.add(table, "paid at the counter", payment.received, "")
        show.add(table, "credit", payment.credited, payment.customer)
        show.add(table, "used", credit.from_credit, f"it pays {overpaid.next_invoice.number}")
        show.add(table, "left", overpaid.left, payment.customer)
        self._print(table)

    def bounced(self, check: Bounced) -> None:
        """Show a paper check that bounced."""
        self._begin(
            "A paper check was recorded, bounced, and was reversed",
            "Not a refund, because no money is sent: the invoice is open again as before.",
        )
        number, reversal = check.issued.number, check.reversal
        table = _table("", "Document", ">Amount", f"{number} is", ">Open")
        show.add(table, "issued", number, check.issued.total, *_standing(check.issued))
        show.add(
            table,
            "recorded",
            f"check {check.payment.reference}",
            check.payment.received,
            *_standing(check.paid),
        )
        show.add(table, "reversed", reversal.number, -reversal.amount, *_standing(check.reopened))
        show.add(table, "fee", check.fee.number, check.fee.total, "", "")
        self._print(table)

    def standing(self, invoices: Sequence[Invoice]) -> None:
        """Show what the customers still owe."""
        self._begin(
            "The state of the invoices", "Open, partially paid and paid follow from the books."
        )
        shown = (InvoiceStatus.PAID, InvoiceStatus.PARTIALLY_PAID, InvoiceStatus.OPEN)
        table = _table(
            "Currency", *(f">{show.words(one).capitalize()}" for one in shown), ">Still open"
        )
        for currency, opened in _by_currency(invoice.open for invoice in invoices).items():
            stand = Counter(one.status for one in invoices if one.total.currency == currency)
            show.add(
                table, currency, *(stand[one] or "·" for one in shown), Money.sum(currency, opened)
            )
        self._print(table)

    def checked(
        self,
        violations: Sequence[Violation],
        balances: Sequence[TillBalance],
        found: Sequence[Lost],
    ) -> bool:
        """Show whether the books are right, by our own rules and by the processor's journal."""
        self._begin(
            "Are the books right?",
            "The fake processor keeps its own journal of the money that it moved.",
        )
        table = _table("Currency", ">Processor moved", ">We booked", ">Difference")
        for one in balances:
            show.add(
                table,
                one.processor.currency,
                one.processor,
                one.receipts,
                one.difference or "0",
                style="red" if one.difference else "",
            )
        self._print(table)
        equal = not any(one.difference for one in balances)
        once = all(lost.charges == lost.receipts <= 1 for lost in found)
        self._console.print()
        holds = {
            f"fsck: {len(RULES)} rules, {len(violations)} violations": not violations,
            "processor and ledger agree in every currency": equal,
            f"{len(found)} lost responses, none charged twice": once,
        }
        for text, held in holds.items():
            self._console.print(
                Text("   ✓ " if held else "   ✗ ", style="green" if held else "bold red")
                + Text(text)
            )
        for violation in violations:
            self._say(f"{violation.rule}: {violation.subject}: {violation.detail}", style="red")
        return all(holds.values())

    def end(self, file: Path | None, lost: str) -> None:
        """Name the file, if it is one, and what to look at next, such as the payment *lost*.

        A URL is not shown: it may hold a password.
        """
        at = str(file) if file else "at the URL that you gave"
        self._console.print()
        self._console.print(Text.assemble("The ledger is ", (at, "bold"), ". Look around:"))
        url = f"sqlite:///{file}" if file else "URL"
        for command in (f"payment show {lost}", "invoice list --open", "status"):
            self._console.print(Text(f"  paygate {command} --ledger {url}"))
        self._console.print()
        self._say(
            "The payment is one whose response was lost. The status reports that recovery is "
            "overdue, and exits with status 1: nothing runs 'paygate payment recover' for this "
            "ledger."
        )

    def _begin(self, heading: str, line: str) -> None:
        self._console.print()
        self._console.print(Text.assemble((f"{next(self._act)}  ", "cyan"), (heading, "bold")))
        self._say(line, style="dim")
        self._console.print()

    def _say(self, line: str, style: str = "") -> None:
        folded = show.folding(line, show.prose_width(_INDENT))
        self._console.print(Text(indent(folded, " " * _INDENT), style=style))

    def _print(self, table: Grid) -> None:
        self._console.print(table)


def _table(*columns: str) -> Grid:
    return show.table(*columns, indent=_INDENT)


def _by_kind(payments: Sequence[Payment]) -> Grid:
    there = [status for status in _STATUSES if any(one.status is status for one in payments)]
    table = _table("", *(f">{_STATUSES[status]}" for status in there), ">all")
    for kind in KINDS:
        stand = Counter(payment.status for payment in payments if payment.kind is kind)
        cells = [_number(stand[status], show.STYLES.get(status, "")) for status in there]
        show.add(table, show.words(kind), *cells, stand.total())
    return table


def _number(number: int, style: str) -> Text:
    return Text(str(number), style=style) if number else Text("·", style="dim")


def _reasons(payments: Sequence[Payment]) -> str:
    codes = Counter(one.code for one in payments if one.status is PaymentStatus.DECLINED)
    return ", ".join(f"{show.words(code)} {number}" for code, number in codes.most_common())


def _times(number: int) -> str:
    return {0: "never", 1: "once"}.get(number, f"{number} times")


def _standing(invoice: Invoice) -> tuple[str, Money]:
    return show.words(invoice.status), invoice.open


def _by_currency(amounts: Iterable[Money]) -> dict[str, list[Money]]:
    found: dict[str, list[Money]] = {}
    for amount in amounts:
        found.setdefault(amount.currency, []).append(amount)
    return dict(sorted(found.items()))
