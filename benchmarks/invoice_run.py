"""An invoice run of 100,000 orders, against bare SQL of the rows that it writes.

The floor inserts the rows of a finished run into an empty ledger: the same file, schema, indexes,
triggers and pragmas, and the same number of transactions, with parameters that are ready before the
clock starts. It reads nothing, checks nothing and builds nothing. Each order has its assignment
key, and its number from a series; a tenth of them has two lines and a tax.

The peak of memory is that of a process of its own, for a tenth of the orders and for all of them.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.rounds import Measured, Target, take_turns
from paygate import Cashier, InvoiceLine, InvoiceOrder, InvoiceText, Money, TaxLine
from paygate.service.invoice_run import GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator

ORDERS = 100_000
SERIES = "INV-{year}-{n:06}"
ROUNDS_MAX = 3
"""Each round writes half a gigabyte twice."""


def orders(count: int) -> Iterator[InvoiceOrder]:
    """Yield orders of five thousand customers."""
    lines = (
        InvoiceLine.of("Support", "40.00", "USD", quantity=3, unit="h", tax_category="S"),
        InvoiceLine.of("Travel", "12.50", "USD"),
    )
    text = InvoiceText(lines=lines, tax=(TaxLine.of("VAT", "20", lines, category="S"),))
    plain, due = Money("USD", 3000), date(2031, 3, 1)
    for number in range(count):
        facts: dict[str, Any] = {"total": plain} if number % 10 else {"total": text.total}
        if not number % 10:
            facts["text"] = text
        yield InvoiceOrder(id=f"ORDER-{number}", customer=f"C-{number % 5_000}", due=due, **facts)


def run(path: Path, count: int) -> float:
    """Run *count* orders on a new ledger, and return how many a second."""
    with Cashier.open(f"sqlite:///{path}") as cashier:
        begun = time.perf_counter()
        done = cashier.invoice_run(orders(count), series=SERIES)
        took = time.perf_counter() - begun
    assert (done.issued, done.refused) == (count, 0)
    return count / took


class _Floor:
    """The rows of a finished run, in as many portions as it had transactions."""

    def __init__(self, done: Path, count: int) -> None:
        self._count = count
        portions = -(-count // GROUP)
        empty = sqlite3.connect(done)
        self._statements: list[tuple[str, list[list[tuple[Any, ...]]]]] = []
        for (name,) in empty.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'paygate%'"
        ).fetchall():
            if name in ("paygate_meta", "paygate_row_count"):
                continue
            columns = [row[1] for row in empty.execute(f"PRAGMA table_xinfo({name})") if not row[6]]
            rows = empty.execute(f"SELECT {', '.join(columns)} FROM {name}").fetchall()
            if rows:
                marks = ", ".join("?" * len(columns))
                sql = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})"
                size = -(-len(rows) // portions)
                parts = [rows[at : at + size] for at in range(0, len(rows), size)]
                self._statements.append((sql, parts))
        self._portions = portions
        empty.close()

    def write(self, path: Path) -> float:
        """Write the rows, and return how many orders a second."""
        Cashier.open(f"sqlite:///{path}").close()
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        begun = time.perf_counter()
        for portion in range(self._portions):
            connection.execute("BEGIN IMMEDIATE")
            for sql, parts in self._statements:
                if portion < len(parts):
                    connection.executemany(sql, parts[portion])
            connection.execute("COMMIT")
        took = time.perf_counter() - begun
        connection.close()
        return self._count / took


def peak_mb(count: int) -> float:
    """Return the peak of memory of a process that runs *count* orders."""
    # What the kernel says about a child includes what its parent had when it was started.
    program = (
        "import sys; from pathlib import Path; from benchmarks.invoice_run import run; "
        "run(Path(sys.argv[1]) / 'ledger.db', int(sys.argv[2])); "
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", program, folder, str(count)]
        said = subprocess.run(command, capture_output=True, check=True, text=True)
    return int(said.stdout) / 1024


def measure(rounds: int, count: int = ORDERS) -> list[Measured]:
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "first.db"
        run(first, count)
        floor = _Floor(first, count)

        def fresh() -> Path:
            for old in Path(folder).glob("sample.db*"):
                old.unlink()
            return Path(folder) / "sample.db"

        bare, ours = take_turns(
            min(rounds, ROUNDS_MAX), lambda: floor.write(fresh()), lambda: run(fresh(), count)
        )
    notes = {
        f"peak of memory with {each:,} orders, MB": peak_mb(each) for each in (count // 10, count)
    }
    return [
        Measured(
            name="invoice-run",
            floor_name="bare SQL of the same rows",
            unit="orders/s",
            ours=ours,
            floor=bare,
            target=Target(bound=0.5, at_least=True),
            notes=notes,
        )
    ]
