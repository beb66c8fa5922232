"""The till of the demo: a real ledger and five fake gateways over one processor.

Nothing in this module prints. Each act is a method that does it and returns what happened,
so that tests can check the money instead of the screen.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from itertools import count
from typing import TYPE_CHECKING, Final, Protocol, Self, TypeVar

from paygate.cashier.sync import Cashier
from paygate.cli.demo.cast import CHECK, KINDS, LOST, Mishap, visits
from paygate.domain.kind import Kind
from paygate.domain.money import Money
from paygate.domain.movement import MovementKind
from paygate.domain.payment import PaymentStatus
from paygate.errors import Refused
from paygate.testing import FakeClock, FakeGateway, FakeProcessor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paygate.domain.invoice import Invoice
    from paygate.domain.payment import Payment
    from paygate.domain.reversal import Reversal
    from paygate.ledger.book import Violation
    from paygate.service.import_invoices import Imported


class Listed(Protocol):
    """A row of a listing."""

    @property
    def id(self) -> str:
        """The id after which a listing continues."""
        ...


T = TypeVar("T", bound=Listed)

OPENS: Final = datetime(2026, 2, 2, 9, 0, tzinfo=UTC)
"""The time at which the demo's clock starts; only the demo moves it."""

RETURN_URL: Final = "https://portal.example/thanks"
_PAGE: Final = 200
# Long enough for every planned inquiry, and for a lost request to count as lost.
_MINUTES_ASKED: Final = (1, 2, 5, 15)
# From a quarter of an hour before the pages expire until after the last e-check settled.
_DAYS: Final = 4


class DemoIds:
    """Sequential ids, so that the demo's ledger is the same each time."""

    def __init__(self) -> None:
        self._next = count(1)

    def new(self, noun: str) -> str:
        """Return the next id."""
        return f"{noun}_{next(self._next):08d}"


@dataclass(frozen=True, slots=True)
class Lost:
    """A payment whose response was lost: its status before and after, and what was charged."""

    invoice: str
    mishap: Mishap
    before: Payment
    after: Payment
    charges: int
    receipts: int


@dataclass(frozen=True, slots=True)
class Overpaid:
    """A slip that was paid with more than its amount, and what the excess then paid."""

    payment: Payment
    next_invoice: Invoice
    from_credit: Payment
    left: Money


@dataclass(frozen=True, slots=True)
class Bounced:
    """A paper check from the counter to the bank and back; the invoice after each step."""

    issued: Invoice
    paid: Invoice
    payment: Payment
    reversal: Reversal
    reopened: Invoice
    fee: Invoice


@dataclass(frozen=True, slots=True)
class TillBalance:
    """What the processor moved in one currency by its own journal, and what we booked."""

    processor: Money
    receipts: Money

    @property
    def difference(self) -> Money:
        """The difference between the two; zero if both are right."""
        return self.processor - self.receipts


class Till:
    """One cashier, one processor, one clock."""

    def __init__(self, url: str) -> None:
        self.clock = FakeClock(OPENS)
        self.processor = FakeProcessor(clock=self.clock)
        self.gateways = {kind: FakeGateway(kind, processor=self.processor) for kind in KINDS}
        self.cashier = Cashier.open(
            url,
            gateways={str(kind): gateway for kind, gateway in self.gateways.items()},
            actor="demo",
            clock=self.clock,
            ids=DemoIds(),
        )
        self._lost: dict[str, Payment] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cashier.close()

    # --- The acts -------------------------------------------------------------------

    def import_invoices(self) -> Imported:
        """Import the file that is shipped with paygate."""
        file = resources.files("paygate.cli.demo") / "invoices.csv"
        return self.cashier.import_invoices(file.read_bytes())

    def collect(self, tell: Callable[[int, int], None]) -> list[Payment]:
        """Let every payer pay; call *tell* with the number done and the total."""
        todo = list(visits(self.invoices()))
        done: list[Payment] = []
        for visit in todo:
            payment = self.cashier.collect(
                visit.invoice,
                via=str(visit.kind),
                method=visit.token,
                key=f"demo-{visit.invoice.number}",
                return_url=RETURN_URL if visit.kind is Kind.REDIRECT else "",
            )
            if visit.invoice.number in LOST:
                self._lost[visit.invoice.number] = payment
            done.append(payment)
            tell(len(done), len(todo))
        return done

    def pay_again(self) -> Refused | None:
        """Try once more to pay an invoice whose outcome is unknown."""
        try:
            self.cashier.collect(next(iter(LOST)), via="card", method="tok_visa", key="demo-again")
        except Refused as refused:
            return refused
        return None

    def inquire(self) -> list[Lost]:
        """Inquire about the payments whose response was lost until each outcome is known."""
        for minutes in _MINUTES_ASKED:
            self._wait(timedelta(minutes=minutes))
        return [
            Lost(
                invoice=number,
                mishap=LOST[number],
                before=before,
                after=self.cashier.payment(before),
                charges=sum(
                    entry.payment == before.id and entry.kind is MovementKind.CHARGE
                    for entry in self.processor.journal
                ),
                receipts=len(self.cashier.receipts(before)),
            )
            for number, before in self._lost.items()
        ]

    def try_again(self, found: list[Lost]) -> list[Payment]:
        """Charge again, with a new key, if it is certain that nothing was charged."""
        return [
            self.cashier.collect(
                lost.invoice, via="card", method="tok_visa", key=f"demo-{lost.invoice}-second"
            )
            for lost in found
            if lost.after.status is PaymentStatus.FAILED and lost.after.retryable
        ]

    def pass_days(self, payments: list[Payment]) -> list[Payment]:
        """Let the payers act and the banks settle; return the payments in their new state."""
        waiting = [one for one in payments if one.status is PaymentStatus.REQUIRES_ACTION]
        for number, payment in enumerate(waiting):
            if number % 9 == 5:
                continue  # This payer closed the window, and comes back another day.
            amount = payment.amount
            if payment is self._first(waiting, Kind.VOUCHER):
                amount *= 2
            elif payment is self._first(waiting, Kind.BITCOIN):
                amount = amount.split([1, 1])[0]
            self.gateways[payment.kind].pay(payment.reference, amount)
        for _ in range(_DAYS):
            self._wait(timedelta(days=1))
        return [self.cashier.payment(payment) for payment in payments]

    def use_credit(self, payments: list[Payment]) -> Overpaid:
        """Pay another invoice from the excess of a slip."""
        payment = next(one for one in payments if one.credited)
        bill = self.cashier.issue(
            number="INV-2026-0241",
            customer=payment.customer,
            total=payment.amount.split([3, 1])[0],
            due="2026-03-01",
        )
        used = self.cashier.pay_from_credit(bill, key="demo-credit")
        left = self.cashier.balance(payment.customer)[bill.total.currency]
        return Overpaid(payment, self.cashier.invoice(bill.number), used, left)

    def bounce(self) -> Bounced:
        """Record a paper check; the bank returns it, and the customer owes again, with a fee."""
        issued = self.cashier.invoice(CHECK)
        payment = self.cashier.record(CHECK, by="check", reference="1042", key="demo-check")
        paid = self.cashier.invoice(CHECK)
        self.clock.advance(days=2)
        reversal = self.cashier.reverse(
            payment, reason="returned unpaid", fee=Money.of(issued.total.currency, 25)
        )
        assert reversal.fee_invoice is not None, "a fee was requested"  # noqa: S101
        return Bounced(
            issued=issued,
            paid=paid,
            payment=self.cashier.payment(payment),
            reversal=reversal,
            reopened=self.cashier.invoice(CHECK),
            fee=self.cashier.invoice(reversal.fee_invoice),
        )

    # --- The checks ------------------------------------------------------------------

    def check_books(self) -> list[Violation]:
        """Check every rule of the ledger."""
        return self.cashier.fsck()

    def compare(self) -> list[TillBalance]:
        """Compare the processor's journal with our receipts, by currency."""
        booked: Counter[str] = Counter()
        for payment in self.payments():
            if payment.account not in self.cashier.gateways:
                continue
            for receipt in self.cashier.receipts(payment):
                sign = 1 if receipt.kind.inward else -1
                booked[receipt.amount.currency] += sign * receipt.amount.minor
        currencies = sorted({entry.currency for entry in self.processor.journal} | set(booked))
        return [
            TillBalance(self.processor.moved(currency), Money(currency, booked[currency]))
            for currency in currencies
        ]

    # --- Reading ----------------------------------------------------------------------

    def invoices(self) -> list[Invoice]:
        """Return all invoices, in the order in which they were issued."""
        return list(
            _pages(lambda after: self.cashier.invoices(oldest_first=True, after=after, limit=_PAGE))
        )

    def payments(self) -> list[Payment]:
        """Return all payments, in the order in which they were made."""
        return list(
            _pages(lambda after: self.cashier.payments(oldest_first=True, after=after, limit=_PAGE))
        )

    def _wait(self, duration: timedelta) -> None:
        self.clock.advance(duration)
        self.cashier.recover(limit=1_000)

    @staticmethod
    def _first(payments: list[Payment], kind: Kind) -> Payment:
        return next(payment for payment in payments if payment.kind is kind)


def _pages(read: Callable[[str], list[T]]) -> Iterator[T]:
    after = ""
    while page := read(after):
        yield from page
        after = page[-1].id
