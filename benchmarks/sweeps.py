"""A sweep over overdue invoices: its time is that of the changes, however many customers there are.

Two ledgers have the same number of customers whose invoice falls due each day. The floor has no
other customers, ours has up to a million who owe an invoice that is not due yet, and as many who
have paid one. A ratio of one means that a sweep costs nothing for them.

``PAYGATE_BENCH_CUSTOMERS`` and ``PAYGATE_BENCH_CHANGES`` set other sizes than 1,000,000 and 10,000,
and ``PAYGATE_BENCH_POSTGRES`` measures the same on a PostgreSQL server of its own.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.rounds import Measured, Target, take_turns
from paygate import Cashier, Money
from paygate.testing import FakeClock
from tests.support.postgres_server import Server, binaries

if TYPE_CHECKING:
    from paygate.ledger.tx import Tx

CUSTOMERS: Final = 1_000_000
CHANGES: Final = 10_000
START: Final = datetime(2027, 1, 1, 9, tzinfo=UTC)
FLAT: Final = Target(bound=1.5, at_least=False)

# Each is made from the one row that the cashier wrote; a sweep compares no checksums.
_MANY_CUSTOMERS: Final = """
INSERT INTO paygate_customer (tenant, id, zone, state, created_at, checksum)
WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < :count)
SELECT tenant, 'idle-' || x, zone, state, created_at, checksum
FROM paygate_customer JOIN n ON paygate_customer.id = 'idle'
"""
_MANY_INVOICES: Final = """
INSERT INTO paygate_item (
  id, tenant, kind, number, customer, currency, total_minor, allocated_minor, due, status,
  effective, issued_at, actor, checksum)
WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < :count)
SELECT i.id || x || :mark, i.tenant, i.kind, :mark || x, 'idle-' || x, i.currency, i.total_minor,
  i.total_minor * :paid, :due, i.status, i.effective, i.issued_at, i.actor, i.checksum
FROM paygate_item i JOIN n ON i.number = 'idle'
"""


@dataclass
class Shop:
    """A ledger whose customers fall due on each day."""

    url: str
    idle: int
    changes: int
    day: int = 0
    total: int = 0

    def __post_init__(self) -> None:
        self.clock = FakeClock(START)
        self.cashier = Cashier.open(self.url, clock=self.clock)
        if self.idle:
            total = Money.of("USD", "30.00")
            self.cashier.issue(number="idle", customer="idle", total=total, due="2031-03-01")
            self.cashier._store.write(self.cashier._context, self._fill)

    def _fill(self, tx: Tx) -> None:
        params = {"count": self.idle, "mark": "", "paid": 0, "due": ""}
        tx.run(_MANY_CUSTOMERS, params)
        tx.run(_MANY_INVOICES, params | {"mark": "later-", "due": "2031-03-01"})
        tx.run(_MANY_INVOICES, params | {"mark": "paid-", "paid": 1, "due": "2026-12-01"})

    def sweep(self) -> float:
        """Let invoices fall due, and return how many seconds the sweep of the next day takes."""
        self.day += 1
        due = self.clock.now().date()
        for number in range(self.changes):
            self.cashier.issue(
                number=f"{self.day}-{number}",
                customer=f"{self.day}-{number}",
                total=Money.of("USD", "30.00"),
                due=due,
            )
        self.clock.advance(timedelta(days=1))
        began = time.perf_counter()
        run = self.cashier.run_overdue()
        took = time.perf_counter() - began
        assert (run.finished, run.announced) == (True, self.changes)
        self.total += run.customers
        return took


def measure(rounds: int) -> list[Measured]:
    """Measure sweeps of a large ledger next to those of one with only the changes."""
    customers = int(os.environ.get("PAYGATE_BENCH_CUSTOMERS", str(CUSTOMERS)))
    changes = int(os.environ.get("PAYGATE_BENCH_CHANGES", str(CHANGES)))
    rounds = min(rounds, 5)  # before those of the first day come to their second stage
    results: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="paygate-bench-") as folder:
        urls = [f"sqlite:///{Path(folder) / name}.db" for name in ("large", "small")]
        results.append(_compared("SQLite", urls, customers, changes, rounds))
    programs = binaries() if "PAYGATE_BENCH_POSTGRES" in os.environ else None
    if programs is not None:
        server = Server(programs)
        try:
            for name in ("large", "small"):
                server.create(name)
            urls = [server.url(name) for name in ("large", "small")]
            results.append(_compared("PostgreSQL", urls, customers, changes, rounds))
        finally:
            server.stop()
    return results


def _compared(store: str, urls: list[str], customers: int, changes: int, rounds: int) -> Measured:
    large, small = Shop(urls[0], customers, changes), Shop(urls[1], 0, changes)
    ours, floor = take_turns(rounds, large.sweep, small.sweep)
    for shop in (large, small):
        shop.cashier.close()
    return Measured(
        name=f"sweep, {customers:,} customers ({store})",
        floor_name=f"only the {changes:,} that change",
        unit="s",
        ours=ours,
        floor=floor,
        target=FLAT,
        notes={"ms per change": 1_000 * sorted(ours)[len(ours) // 2] / changes},
    )
