"""The cost of work in a large ledger, compared with the same work in a small one.

Ours is a ledger of 64 k or of a million payments, the floor one of 1 k, and they alternate. So a
ratio of one means that the work does not grow with the ledger. Checking the books is measured per
payment, since it reads all of them. The last comparisons are about one payment with many movements,
and about the cost of the indexes that only listings and sums read.
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks import collecting, ledgers, multiplied
from benchmarks.rounds import Measured, Target, take_turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SMALL: Final = 1_024
SIZES: Final = {"64 k": 65_536, "1 M": 1_000_000}
"""Sizes to compare with the small one."""
CHECKED: Final = {"100 k": 100_032, "1 M": 1_000_000}
"""Sizes at which the books are checked, which takes some minutes for a million payments."""

MOVEMENTS: Final = (10, 100, 1_000)

# Indexes that only listings, counts or sums read; no look-up of a single row uses them.
_LISTED: Final = ("_listed", "_counted", "_by_status", "_by_account", "_by_account_and_status")
_SUMMED: Final = ("_unallocated", "_awaiting", "_in_transit", "_quoted")

FLAT: Final = Target(bound=1.5, at_least=False)


def measure(rounds: int) -> list[Measured]:
    """
    Measure ledgers up to the size ``PAYGATE_BENCH_PAYMENTS``, a million by default.

    They are created in the folder ``PAYGATE_BENCH_LEDGERS``, and kept there for the next run; by
    default in a temporary folder.
    """
    most = int(os.environ.get("PAYGATE_BENCH_PAYMENTS", str(max(SIZES.values()))))
    with tempfile.TemporaryDirectory(prefix="paygate-bench-") as temporary:
        folder = Path(os.environ.get("PAYGATE_BENCH_LEDGERS", temporary))
        made = folder / "made.db"
        if not made.exists():
            multiplied.make(made)
        results = [
            *_movements(made, Path(temporary), rounds),
            *_indexes(Path(temporary), rounds),
        ]
        small = _large(made, SMALL)
        checked: dict[str, Checked] = {"1 k": check(small)}
        for label, size in sorted({**SIZES, **CHECKED}.items(), key=lambda each: each[1]):
            if size > most:
                continue
            path = _large(made, size)
            if label in CHECKED:
                checked[label] = check(path)
            if label in SIZES:
                results += _work(label, path, small, rounds)
            if path.parent == Path(temporary):
                path.unlink()
    return [*results, *_checks(checked)]


def _large(made: Path, payments: int) -> Path:
    path = made.with_name(f"{payments}.db")
    if not path.exists():
        multiplied.multiply(made, path, payments)
    return path


# --- Work in a large ledger ----------------------------------------------------------------


@dataclass
class Ledger:
    """An open large ledger, with names of rows in the middle of it."""

    path: Path
    heard: int = 0
    names: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        self.accounts = multiplied.Accounts(self.path)
        self.cashier = self.accounts.cashier
        with sqlite3.connect(self.path) as connection:
            self.names = {
                "payment": _middle(connection, "id", "payment", "created_at, id"),
                "invoice": _middle(connection, "id", "item", "issued_at, id"),
                "callback": _middle(connection, "id", "inbox", "received_at, id"),
                "event": _middle(connection, "position", "outbox", "position"),
            }
            self._cards = _references(connection, "card")
            self._addresses = _references(connection, "coin")
        connection.close()
        self.cashier.subscribe("bench", lambda _: None, from_beginning=False)
        self.cashier.publish()

    def payments(self, *, deep: bool) -> None:
        assert len(self.cashier.payments(after=self.names["payment"] if deep else "")) == 100

    def invoices(self, *, deep: bool) -> None:
        assert len(self.cashier.invoices(after=self.names["invoice"] if deep else "")) == 100

    def callbacks(self, *, deep: bool) -> None:
        after = self.names["callback"] if deep else 0
        assert len(self.cashier.callbacks(limit=50, after=after)) == 50

    def events(self, *, deep: bool) -> None:
        assert len(self.cashier.events(after=self.names["event"] if deep else 0)) == 100

    def receipts(self) -> None:
        assert len(self.cashier.receipts(self.names["payment"])) <= 1

    def publish(self) -> None:
        """Publish the events of one collected invoice."""
        self.accounts.pay(0, "card")
        assert self.cashier.publish().delivered

    def status(self) -> None:
        assert self.cashier.status().invoices

    def dispute(self) -> None:
        """Apply a callback that reports a dispute."""
        self.accounts.card.tell_dispute(next(self._cards))
        self.accounts.hear(self.accounts.card)

    def paid(self) -> None:
        """Apply a callback that reports money at an address."""
        self.accounts.coin.tell_paid(next(self._addresses))
        self.accounts.hear(self.accounts.coin)


def _middle(connection: sqlite3.Connection, id_: str, table: str, order: str) -> Any:
    rows = f"FROM paygate_{table} ORDER BY {order}"
    [(count,)] = connection.execute(f"SELECT count(*) FROM paygate_{table}")
    [(found,)] = connection.execute(f"SELECT {id_} {rows} LIMIT 1 OFFSET ?", (count // 2,))
    return found


def _references(connection: sqlite3.Connection, account: str) -> Iterator[str]:
    """Yield the references of payments about which nothing has been reported yet."""
    rows = connection.execute(
        """
        SELECT reference FROM paygate_attempt a WHERE account = ? AND NOT EXISTS (
          SELECT 1 FROM paygate_chargeback c WHERE c.payment = a.payment) LIMIT 800
        """,
        (account,),
    )
    return iter([str(reference) for (reference,) in rows])


def _work(label: str, path: Path, small: Path, rounds: int) -> list[Measured]:
    ours, floor = Ledger(path), Ledger(small)
    works: dict[str, Callable[[Ledger], None]] = {
        "a page of payments": partial(Ledger.payments, deep=False),
        "a deep page of payments": partial(Ledger.payments, deep=True),
        "a page of invoices": partial(Ledger.invoices, deep=False),
        "a deep page of invoices": partial(Ledger.invoices, deep=True),
        "a page of events": partial(Ledger.events, deep=False),
        "a deep page of events": partial(Ledger.events, deep=True),
        "a deep page of callbacks": partial(Ledger.callbacks, deep=True),
        "receipts of a payment": Ledger.receipts,
        "collect and publish": Ledger.publish,
        "a dispute": Ledger.dispute,
        "money at an address": Ledger.paid,
    }
    results = [
        _compared(f"{name}, {label}", partial(work, ours), partial(work, floor), rounds)
        for name, work in works.items()
    ]
    status = _compared(
        f"status, {label}", ours.status, floor.status, max(2, rounds // 5), times=1, target=None
    )
    for each in (ours, floor):
        each.cashier.close()
    return [*results, status]


def _compared(
    name: str,
    ours: Callable[[], None],
    floor: Callable[[], None],
    rounds: int,
    *,
    times: int = 5,
    target: Target | None = FLAT,
) -> Measured:
    taken, least = take_turns(rounds, partial(_us, ours, times), partial(_us, floor, times))
    return Measured(
        name=name,
        floor_name="the same of 1 k payments",
        unit="µs of CPU",
        ours=taken,
        floor=least,
        target=target,
    )


def _us(work: Callable[[], None], times: int) -> float:
    """Return the CPU that *work* takes, which does not include other processes."""
    taken: list[float] = []
    for _ in range(times):
        started = time.process_time()
        work()
        taken.append((time.process_time() - started) * 1e6)
    return statistics.median(taken)


# --- Checking the books --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checked:
    """The cost of a check: CPU and elapsed seconds, peak memory, and progress reports."""

    payments: int
    cpu_s: float
    seconds: float
    peak_mb: float
    reports: float


_CHECK = """
import re, sys, time
from benchmarks.multiplied import Accounts
from pathlib import Path

reports = []
accounts = Accounts(Path(sys.argv[1]))
started, spent = time.perf_counter(), time.process_time()
assert accounts.cashier.fsck(progress=lambda *rule: reports.append(rule)) == []
seconds, spent = time.perf_counter() - started, time.process_time() - spent
# Not getrusage: its peak includes the memory of the process that forked.
peak = re.search("VmHWM: *(\\d+)", Path("/proc/self/status").read_text().replace("\t", " "))
print(spent, seconds, int(peak[1]) / 1024, len(reports))
"""


def check(path: Path) -> Checked:
    """Check the books of *path* in a separate process."""
    with sqlite3.connect(path) as connection:
        [(payments,)] = connection.execute("SELECT count(*) FROM paygate_payment")
    connection.close()
    done = subprocess.run(
        [sys.executable, "-c", _CHECK, str(path)], check=True, capture_output=True, text=True
    )
    return Checked(int(payments), *map(float, done.stdout.split()))


def _checks(checked: dict[str, Checked]) -> list[Measured]:
    floor = checked.pop("1 k")
    results: list[Measured] = []
    for label, each in checked.items():
        results += [
            Measured(
                name=f"fsck, {label}",
                floor_name="the same of 1 k payments",
                unit="µs of CPU per payment",
                ours=[each.cpu_s / each.payments * 1e6],
                floor=[floor.cpu_s / floor.payments * 1e6],
                notes={
                    "seconds": each.seconds,
                    "of them CPU": each.cpu_s,
                    "rules reported": each.reports,
                },
            ),
            Measured(
                name=f"fsck, memory, {label}",
                floor_name="the same of 1 k payments",
                unit="MB",
                ours=[each.peak_mb],
                floor=[floor.peak_mb],
                target=FLAT,
            ),
        ]
    return results


# --- Many movements of one payment ---------------------------------------------------------


def _movements(made: Path, folder: Path, rounds: int) -> list[Measured]:
    """Apply one more movement to payments that have some, many and very many."""
    path = folder / "movements.db"
    multiplied.multiply(made, path, multiplied.PAYMENTS)
    accounts = multiplied.Accounts(path)
    counts = dict.fromkeys((accounts.pay(100_000, "coin") for _ in MOVEMENTS), 0)

    def one(address: str) -> None:
        counts[address] += 1
        accounts.coin.tell_paid(address, counts[address], minor=1)
        accounts.hear(accounts.coin)

    for address, movements in zip(counts, MOVEMENTS, strict=True):
        for _ in range(movements):
            one(address)
    few, *more = counts
    results = [
        _compared(f"a movement after {before:,}", partial(one, each), partial(one, few), rounds)
        for each, before in zip(more, MOVEMENTS[1:], strict=True)
    ]
    accounts.cashier.close()
    return [replace(each, floor_name=f"one after {MOVEMENTS[0]}") for each in results]


# --- What indexes cost ---------------------------------------------------------------------


def _indexes(folder: Path, rounds: int) -> list[Measured]:
    """Collect invoices with all indexes, and without those that only listings and sums read."""
    whole = folder / "whole.db"
    ledgers.make(whole)
    results: list[Measured] = []
    for name, endings in (("sums", _SUMMED), ("listings", _LISTED)):
        without = folder / f"{name}.db"
        ledgers.fresh(whole, without.name)
        with sqlite3.connect(without) as connection:
            for index in _ending(connection, endings):
                connection.execute(f"DROP INDEX {index}")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        names = [f"indexes of {name}", f"indexes of {name}, file"]
        both = partial(_collect, whole), partial(_collect, without)
        ours, floor = take_turns(rounds, *both)
        bytes_ours, bytes_floor = take_turns(1, partial(_grows, whole), partial(_grows, without))
        results += [
            Measured(
                name=names[0],
                floor_name="collect without them",
                unit="µs of CPU per payment",
                ours=ours,
                floor=floor,
            ),
            Measured(
                name=names[1],
                floor_name="collect without them",
                unit="bytes per payment",
                ours=bytes_ours,
                floor=bytes_floor,
            ),
        ]
    return results


def _collect(made: Path) -> float:
    """Collect every invoice, and return the CPU per invoice, in µs."""
    cpu_us: list[float] = []
    collecting.at_once(made, cpu_us)
    return cpu_us[0]


def _grows(made: Path) -> float:
    """Collect every invoice, and return the growth of the file per invoice, in bytes."""
    _collect(made)
    path = made.with_name("ours.db")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return (path.stat().st_size - made.stat().st_size) / len(ledgers.NUMBERS)


def _ending(connection: sqlite3.Connection, endings: tuple[str, ...]) -> list[str]:
    rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'index'")
    return [name for (name,) in rows if name.startswith("paygate_") and name.endswith(endings)]
