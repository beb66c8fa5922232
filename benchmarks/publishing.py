"""Publishing events from a ledger that stores a million, compared with one that stores a thousand.

Each sample stores events about 100 new invoices, and measures only their publishing: to a sink that
takes everything, and to one whose filter matches none of them. A sink reads on from its position,
so a ratio of one means that it does not matter how many events lie behind it.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.rounds import Measured, Target, take_turns
from paygate import Cashier, Delivery, Money, SinkTraits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paygate.dialogue import Dialogue

SMALL: Final = 1_000
LARGE: Final = 1_000_000
NEW: Final = 100
FLAT: Final = Target(bound=1.5, at_least=False)

STORED: Final = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
INSERT INTO paygate_outbox (
  id, tenant, type, aggregate, seq, schema_version, occurred_at, actor, data, checksum)
SELECT 'evt_' || i, 'main', 'invoice.generated', 'inv_' || i, 1, 1,
  '2026-01-01T00:00:00.000000+00:00', 'host',
  '{"invoice":"inv_' || i || '","number":"' || i || '","customer":"C-1","currency":"USD",'
  || '"total_minor":3000,"open_minor":3000,"due":"2026-02-01"}', 0 FROM n
"""


class Taking:
    """A sink that takes every event at once."""

    def __init__(self, *events: str) -> None:
        self.traits = SinkTraits(events=events or ("*",), only_new=True)
        self.taken = 0

    def deliver(self, delivery: Delivery) -> Dialogue[None]:
        """Take one event."""
        yield from ()
        self.taken += bool(delivery.event.id)


class Ledger:
    """A ledger with many stored events, all of which its sink has behind it."""

    def __init__(self, path: Path, stored: int, *events: str) -> None:
        url = f"sqlite:///{path}"
        Cashier.open(url).close()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(STORED, (stored,))
            connection.commit()
        self.sink, self.numbers = Taking(*events), count()
        self.cashier = Cashier.open(url, sinks={"crm": self.sink})

    def publish(self) -> float:
        """Publish the events about new invoices; return the CPU time for each, in µs."""
        for number in self._new():
            total = Money.of("USD", "30.00")
            self.cashier.issue(number=number, customer="C-1", total=total, due="2026-02-01")
        started = time.process_time()
        done = self.cashier.publish()
        spent = time.process_time() - started
        assert done.delivered in (0, NEW)
        return spent / NEW * 1e6

    def _new(self) -> Iterator[str]:
        return (f"NEW-{next(self.numbers)}" for _ in range(NEW))


def measure(rounds: int) -> list[Measured]:
    """Measure both kinds of sinks on SQLite."""
    return [
        _measured("publishing, all", rounds),
        _measured("publishing, filtered out", rounds, "feed.*"),
    ]


def _measured(name: str, rounds: int, *events: str) -> Measured:
    with tempfile.TemporaryDirectory(prefix="paygate-bench-") as folder:
        large = Ledger(Path(folder) / "large.db", LARGE, *events)
        small = Ledger(Path(folder) / "small.db", SMALL, *events)
        ours, floor = take_turns(rounds, partial(large.publish), partial(small.publish))
        for each in (large, small):
            each.cashier.close()
    return Measured(
        name=name,
        floor_name="the same with 1 k stored events",
        unit="µs per event",
        ours=ours,
        floor=floor,
        target=FLAT,
    )
