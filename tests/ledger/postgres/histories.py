"""Histories: random calls of several connections at once, and the same calls one after another.

Transactions of a history really overlap. PostgreSQL notes when each was committed, so the calls can
be made again in that order, on another ledger and one by one: both must end alike. The clock
shows each call the same instant both times, since credit is used in the order in which it came.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, Final, TypeAlias

from paygate import Cashier, Money, NumberSeries, PaygateError, Payment, Prepayment
from paygate.errors import StoreError
from paygate.ledger.tx import Context, Tx
from paygate.testing import FakeClock
from tests.ledger.postgres.races import DUE
from tests.reading import every

CUSTOMERS: Final = ("C-1", "C-2", "C-3")
THREADS: Final = 8
STEPS: Final = 200
SERIES: Final = NumberSeries("sales", "S-{n}")
_NEW: Final = ("issue", "number", "prepay")
_BEGINNING: Final = datetime(2026, 1, 2, 12, tzinfo=UTC)

Call: TypeAlias = "tuple[str, tuple[Any, ...]]"
"""What was called, and its arguments; payments go by the names of the calls that made them."""


@dataclass
class Names:
    """What the calls of one ledger made, by the names of these calls."""

    made: dict[str, Payment] = field(default_factory=dict[str, Payment])
    numbers: dict[str, str] = field(default_factory=dict[str, str])
    prepaid: dict[str, Prepayment] = field(default_factory=dict[str, Prepayment])

    def item(self, name: str) -> str:
        """Return what names an invoice or a prepayment in its ledger."""
        return self.prepaid[name].id if name in self.prepaid else self.numbers[name]


@dataclass(frozen=True, slots=True)
class Done:
    """A call that succeeded, and the transaction in which it wrote."""

    name: str
    call: Call
    at: datetime
    transaction: int


def make(cashier: Cashier, names: Names, name: str, call: Call) -> None:
    """Make a call; what it makes is known by *name* afterwards."""
    verb, given = call
    match verb:
        case "issue":
            customer, total, key = given
            issued = cashier.issue(
                number=name, customer=customer, total=total, due=DUE, assignment_key=key
            )
            names.numbers[name] = issued.number
        case "number":
            customer, total = given
            issued = cashier.issue(series=SERIES, key=name, customer=customer, total=total, due=DUE)
            names.numbers[name] = issued.number
        case "prepay":
            customer, total, key = given
            names.prepaid[name] = cashier.prepay(customer, total, assignment_key=key, key=name)
        case "close":
            cashier.close_prepayment(names.item(given[0]), reason="the order was canceled")
        case "record":
            item, amount = given
            item = names.item(item)
            names.made[name] = cashier.record(item, by="check", amount=amount, key=name)
        case "credit":
            item, amount = given
            names.made[name] = cashier.pay_from_credit(names.item(item), amount=amount, key=name)
        case "reverse":
            cashier.reverse(names.made[given[0]].id, reason="bounced")
        case "undo":
            cashier.undo_reversal(names.made[given[0]].id, reason="it came after all")
        case "refund":
            payment, amount = given
            cashier.record_refund(
                names.made[payment].id, by="cash", reference=name, key=name, amount=amount
            )
        case "void":
            cashier.void(names.item(given[0]), reason="issued twice")
        case "write off":
            cashier.write_off(names.item(given[0]), reason="small", key=name)
        case _:
            raise AssertionError(verb)


class Times:
    """Gives each call of a history an instant of its own, whoever makes it."""

    def __init__(self) -> None:
        self._counted = count()

    def next(self) -> datetime:
        return _BEGINNING + next(self._counted) * timedelta(seconds=1)


class Player:
    """Makes random calls through a connection of its own."""

    def __init__(self, url: str, names: Names, times: Times, seed: int, number: int) -> None:
        self.clock = FakeClock(_BEGINNING)
        self.cashier = Cashier.open(url, clock=self.clock)
        self._times = times
        self.done: list[Done] = []
        self.refused = 0
        self.errors: list[str] = []
        self._rolls = random.Random(f"{seed}-{number}")  # noqa: S311  (no secret)
        self._names, self._number = names, number
        self._transaction = 0
        self._watch()

    def _watch(self) -> None:
        """Note the number of each transaction that writes."""
        store: Any = self.cashier._store
        write = store.write

        def noting(context: Context, work: Callable[[Tx], Any]) -> Any:
            def noted(tx: Tx) -> Any:
                result = work(tx)
                [row] = tx.all("SELECT CAST(pg_current_xact_id() AS text) AS it", {})
                self._transaction = int(row["it"])
                return result

            return write(context, noted)

        store.write = noting

    def play(self, steps: int, issued: list[str]) -> None:
        """Make *steps* calls about the invoices that are *issued*, to which it adds its own."""
        for step in range(steps):
            name = f"{self._number}-{step}"
            call = self._chosen(issued)
            self._transaction, at = 0, self._times.next()
            self.clock.set(at)
            try:
                make(self.cashier, self._names, name, call)
            except StoreError as error:
                self.errors.append(f"{call}: {error!r}")
            except PaygateError:
                self.refused += 1
            else:
                if self._transaction:
                    self.done.append(Done(name, call, at, self._transaction))
                if call[0] in _NEW:
                    issued.append(name)

    def _chosen(self, issued: Sequence[str]) -> Call:
        rolls = self._rolls
        amount = Money("USD", rolls.choice((500, 1000, 1500, 3000)))
        made = list(self._names.made)
        verb = rolls.choice(
            ["issue"] * 3
            + ["prepay"] * 2
            + ["number", "close"]
            + ["record"] * 4
            + ["credit"] * 2
            + ["refund"] * 2
            + ["reverse"] * 2
            + ["undo", "void", "write off"]
        )
        if verb in _NEW or not issued:
            customer = rolls.choice(CUSTOMERS)
            if verb == "number":
                return verb, (customer, amount)
            key = f"{customer}/{rolls.randrange(4)}"
            if verb == "prepay":
                return verb, (customer, amount, key)
            return "issue", (customer, amount, rolls.choice(("", key)))
        # The latest ones, so that several calls are about the same.
        invoice = rolls.choice(list(issued)[-6:])
        if verb in ("record", "credit"):
            return verb, (invoice, amount)
        if verb in ("void", "write off", "close"):
            return verb, (invoice,)
        if not made:
            return "record", (invoice, amount)
        payment = rolls.choice(made[-6:])
        return (verb, (payment, amount)) if verb == "refund" else (verb, (payment,))


@dataclass(frozen=True, slots=True)
class Played:
    """A history: the calls that wrote, in the order of their commits, and how it ended."""

    calls: Sequence[Done]
    refused: int
    errors: Sequence[str]
    end: object
    violations: Sequence[object]


def play(url: str, seed: int) -> Played:
    """Let connections make calls at once at an empty ledger."""
    names, times, issued = Names(), Times(), list[str]()
    with ExitStack() as stack:
        players = [Player(url, names, times, seed, number) for number in range(THREADS)]
        for player in players:
            stack.enter_context(player.cashier)
        threads = [
            threading.Thread(target=partial(player.play, STEPS // THREADS, issued))
            for player in players
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        done = [each for player in players for each in player.done]
        return Played(
            calls=in_order_of_commits(players[0].cashier, done),
            refused=sum(player.refused for player in players),
            errors=[error for player in players for error in player.errors],
            end=state_of(players[0].cashier, names),
            violations=players[0].cashier.fsck(),
        )


def in_order_of_commits(cashier: Cashier, done: Sequence[Done]) -> list[Done]:
    """Return the calls in the order in which the server committed them."""

    def committed_at(tx: Tx, transaction: int) -> str:
        known = f"pg_xact_commit_timestamp(CAST('{transaction}' AS xid))"
        [row] = tx.all(f"SELECT CAST({known} AS text) AS it", {})
        return str(row["it"])

    def look(tx: Tx) -> dict[int, str]:
        return {each.transaction: committed_at(tx, each.transaction) for each in done}

    committed = cashier._store.read(cashier._context, look)
    return sorted(done, key=lambda each: (committed[each.transaction], each.transaction))


def again(calls: Sequence[Done]) -> object:
    """Make the calls one by one at a ledger of their own; return how that ended."""
    names, clock = Names(), FakeClock(_BEGINNING)
    with Cashier.in_memory(clock=clock) as cashier:
        for each in calls:
            clock.set(each.at)
            make(cashier, names, each.name, each.call)
        return state_of(cashier, names)


def state_of(cashier: Cashier, names: Names) -> object:
    """Return what a ledger says about invoices, payments and credit, by names that are ours."""
    ids = {payment.id: name for name, payment in names.made.items()}
    items = {number: name for name, number in names.numbers.items()}
    return {
        "invoices": sorted(
            (each.number, items[each.number], str(each.status), each.total.minor, each.open.minor)
            for each in every(cashier.invoices)
        ),
        "prepayments": sorted(
            (
                name,
                str(now.status),
                now.open.minor,
                now.paid.minor,
                now.waiting.minor,
                items.get(now.replaced_by or "", ""),
            )
            for name, made in names.prepaid.items()
            for now in [cashier.prepayment(made.id)]
        ),
        "payments": sorted(
            (ids[each.id], str(each.status), each.received.minor, each.returned.minor)
            for each in every(cashier.payments)
        ),
        "credit": {
            customer: sum(
                each.amount.minor - each.used.minor
                for each in cashier.credits(customer, limit=1000)
            )
            for customer in CUSTOMERS
        },
    }
