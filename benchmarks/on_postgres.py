"""The ledger on PostgreSQL: `collect` in one process and in eight, and pages of open invoices.

The floor of `collect` is taken from real collects, as for SQLite (see `bare`): a script on bare
psycopg, one client, writes the same rows in the same two transactions, with one round trip for each
statement. It reads nothing, locks nothing and checks nothing. Rows that triggers write are left to
the triggers on both sides. Each sample begins with a copy of one database, and its first payments
are not measured, because statements are prepared meanwhile.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import psycopg

from benchmarks import paging
from benchmarks.collecting import fsync_us
from benchmarks.rounds import Measured, Target, take_turns
from paygate import Cashier, Money, PaymentStatus
from paygate.ledger.postgres.store import PostgresStore
from paygate.testing import FakeGateway
from tests.support.postgres_server import Server, binaries

if TYPE_CHECKING:
    from multiprocessing.connection import Connection as Pipe
    from multiprocessing.synchronize import Barrier

    from paygate.dialogue import Request, Response

PROCESSES: Final = 8
EACH: Final = 75
"""How many invoices each of several processes collects."""
ALONE: Final = 215
"""How many invoices one process collects."""
WARM_UP: Final = 15
"""How many of them are collected before the clock starts."""

SETTINGS: Final = {
    "fsync": "on",
    "full_page_writes": "on",
    "autovacuum": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
}
"""A commit waits for the disk, as in production."""

PATIENCE_S: Final = 300.0

Statement: TypeAlias = tuple[bytes, tuple[Any, ...]]
Payment: TypeAlias = tuple[list[Statement], list[Statement]]
Image: TypeAlias = "dict[Table, dict[tuple[Any, ...], tuple[Any, ...]]]"


def measure(rounds: int) -> list[Measured]:
    programs = binaries()
    if programs is None:
        sys.exit("there is no PostgreSQL here; PAYGATE_POSTGRES names the folder of its programs")
    server = Server(programs, **SETTINGS)
    try:
        bench = Bench(server)
        return [*bench.collecting(rounds), *paging.measure(server, max(3, rounds // 3))]
    finally:
        server.stop()


def numbers(group: str, invoices: int) -> list[str]:
    return [f"{group}-{number}" for number in range(invoices)]


GROUPS: Final = {
    "alone": (1, ALONE, "C-alone-{number}"),
    "apart": (PROCESSES, EACH, "C-{process}-{number}"),
    "together": (PROCESSES, EACH, "C-1"),
}
"""How many processes collect how many invoices of which customers."""


class Bench:
    """A server with a database that has open invoices."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._copies = count(1)
        self._last = ""
        self.spread: list[tuple[float, float]] = []
        self.repeated = 0
        server.create("made")
        with Cashier.open(server.url("made"), gateways={}) as cashier:
            for group, (processes, each, customer) in GROUPS.items():
                for process in range(processes):
                    for number, name in enumerate(numbers(f"{group}-{process}", each)):
                        cashier.issue(
                            number=name,
                            customer=customer.format(process=process, number=number % 25),
                            total=Money("USD", 3000 + number),
                            due="2026-12-01",
                        )
        with closing(server.connect("made")) as owner:
            owner.execute("VACUUM ANALYZE")

    def fresh(self) -> str:
        """Return the URL of a new copy of the database, which is on disk."""
        if self._last:
            self.server.drop(self._last)
        self._last = f"copy_{next(self._copies)}"
        self.server.create(self._last, "made")
        with closing(self.server.connect()) as owner:
            owner.execute("CHECKPOINT")
        return self.server.url(self._last)

    def collecting(self, rounds: int) -> list[Measured]:
        payments = capture(self.fresh())
        floor, one, apart, together, disk = take_turns(
            rounds,
            lambda: bare(self.fresh(), payments),
            partial(self.collect, "alone"),
            partial(self.collect, "apart"),
            partial(self.collect, "together"),
            partial(fsync_us, self.server.folder / "fsync"),
        )
        written = statistics.mean(len(opened) + len(merged) + 4 for opened, merged in payments)
        notes = {
            "statements of the floor, with BEGIN and COMMIT": written,
            "an fsync here, µs": statistics.median(disk),
            "transactions that were repeated, of all": float(self.repeated),
            "load of the machine at the end": os.getloadavg()[0],
        }
        results = [
            Measured(
                name=f"postgres, {name}",
                floor_name="bare psycopg, one client",
                unit="payments/s",
                ours=ours,
                floor=floor,
                target=Target(bound=bound, at_least=True),
            )
            for name, ours, bound in (
                ("one process", one, 0.55),
                ("eight, customers apart", apart, 1.0),
                ("eight, one customer", together, 0.5),
            )
        ]
        slow = Measured(
            name="postgres, slowest of 100, apart",
            floor_name="the median payment",
            unit="ms",
            ours=[p99 for p99, _ in self.spread[1:]],
            floor=[p50 for _, p50 in self.spread[1:]],
            target=Target(bound=2.0, at_least=False),
            notes=notes,
        )
        return [*results, slow]

    def collect(self, group: str) -> float:
        """Collect the invoices of *group* by its processes; return payments per second."""
        processes, each, _ = GROUPS[group]
        url, spawn = self.fresh(), multiprocessing.get_context("spawn")
        together, pipes = spawn.Barrier(processes), list[Any]()
        workers = list[Any]()
        for process in range(processes):
            ours, theirs = spawn.Pipe(duplex=False)
            given = (url, f"card{process}", numbers(f"{group}-{process}", each), together, theirs)
            workers.append(spawn.Process(target=work, args=given))
            workers[-1].start()
            pipes.append(ours)
            theirs.close()
        done: list[Worked] = [pipe.recv() for pipe in pipes]
        for worker in workers:
            worker.join()
        self.repeated += sum(each.repeated for each in done)
        took = sorted(ms for each in done for ms in each.took_ms)
        if group == "apart":
            self.spread.append((took[int(len(took) * 0.99)], statistics.median(took)))
        return len(took) / (max(each.ended for each in done) - min(each.began for each in done))


# --- Ours -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Worked:
    """What a process did: when, how long each payment took, and how often one was repeated."""

    began: float
    ended: float
    took_ms: list[float]
    repeated: int


def work(url: str, account: str, invoices: list[str], together: Barrier, told: Pipe) -> None:
    """Collect *invoices*, when every process is warm."""
    repeated = 0
    tries_max: Any = PostgresStore._tries_max

    def noted(store: PostgresStore, error: psycopg.Error) -> int:
        nonlocal repeated
        repeated += 1
        return int(tries_max(store, error))

    counted: Any = PostgresStore
    counted._tries_max = noted
    with Cashier.open(url, gateways={account: FakeGateway()}) as cashier:

        def collect(number: str) -> float:
            started = time.monotonic()
            payment = cashier.collect(number, via=account, method="tok_visa", key=number)
            assert payment.status is PaymentStatus.SUCCEEDED
            return (time.monotonic() - started) * 1e3

        for number in invoices[:WARM_UP]:
            collect(number)
        together.wait(PATIENCE_S)
        began = time.monotonic()
        took = [collect(number) for number in invoices[WARM_UP:]]
        told.send(Worked(began, time.monotonic(), took, repeated))
    told.close()


# --- The floor ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Table:
    """A table and its written columns, with the positions of the primary key's."""

    name: str
    columns: tuple[str, ...]
    key: tuple[int, ...]

    @property
    def where(self) -> str:
        return " AND ".join(f"{self.columns[place]} = %s" for place in self.key)


_TABLES: Final = """
SELECT c.relname, array_agg(a.attname ORDER BY a.attnum),
  array_agg(a.attnum = ANY (i.indkey) ORDER BY a.attnum)
FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  AND a.attgenerated = ''
WHERE c.relname LIKE 'paygate_%' AND c.relkind = 'r'
  AND c.relname NOT IN ('paygate_row_count', 'paygate_place_count')
GROUP BY c.oid, c.relname ORDER BY c.oid
"""


def capture(url: str) -> list[Payment]:
    """Collect the invoices of one process, and return the writes of each payment."""
    between: list[Image] = []
    payments: list[Payment] = []
    with psycopg.connect(url, autocommit=True) as reader:
        tables = [
            Table(name, tuple(columns), tuple(place for place, of_key in enumerate(key) if of_key))
            for name, columns, key in reader.execute(_TABLES)
        ]

        class Watched(FakeGateway):
            def answer(self, request: Request) -> Response:
                between.append(_image(reader, tables))
                return super().answer(request)

        before = _image(reader, tables)
        with Cashier.open(url, gateways={"card0": Watched()}) as cashier:
            for number in numbers("alone-0", ALONE):
                cashier.collect(number, via="card0", method="tok_visa", key=number)
                after = _image(reader, tables)
                [opened] = between
                payments.append((_writes(before, opened), _writes(opened, after)))
                before = after
                between.clear()
    return payments


def bare(url: str, payments: list[Payment]) -> float:
    """Write *payments*, two transactions each; return payments per second."""
    with psycopg.connect(url, autocommit=True) as connection:
        execute = connection.cursor().execute
        started = time.perf_counter()
        for number, (opened, merged) in enumerate(payments):
            if number == WARM_UP:
                started = time.perf_counter()
            execute(b"BEGIN")
            for sql, params in opened:
                execute(sql, params)
            execute(b"COMMIT")
            execute(b"BEGIN")
            for sql, params in merged:
                execute(sql, params)
            execute(b"COMMIT")
        return (len(payments) - WARM_UP) / (time.perf_counter() - started)


def _image(reader: psycopg.Connection[Any], tables: list[Table]) -> Image:
    return {
        table: {
            tuple(row[place] for place in table.key): row
            for row in reader.execute(
                f"SELECT {', '.join(table.columns)} FROM {table.name}".encode()  # noqa: S608
            )
        }
        for table in tables
    }


def _writes(before: Image, after: Image) -> list[Statement]:
    """Return the statements that turn *before* into *after*."""
    writes: list[Statement] = []
    for table, rows in after.items():
        old = before[table]
        columns, marks = ", ".join(table.columns), ", ".join(["%s"] * len(table.columns))
        insert = f"INSERT INTO {table.name} ({columns}) OVERRIDING SYSTEM VALUE VALUES ({marks})"  # noqa: S608
        for key, row in rows.items():
            if key not in old:
                writes.append((insert.encode(), row))
            elif row != old[key]:
                writes.append(_update(table, old[key], row, key))
        delete = f"DELETE FROM {table.name} WHERE {table.where}".encode()  # noqa: S608
        writes += [(delete, key) for key in old.keys() - rows.keys()]
    return writes


def _update(
    table: Table, old: tuple[Any, ...], new: tuple[Any, ...], key: tuple[Any, ...]
) -> Statement:
    changed = [place for place in range(len(new)) if new[place] != old[place]]
    assignments = ", ".join(f"{table.columns[place]} = %s" for place in changed)
    values = tuple(new[place] for place in changed)
    sql = f"UPDATE {table.name} SET {assignments} WHERE {table.where}"  # noqa: S608
    return sql.encode(), (*values, *key)
