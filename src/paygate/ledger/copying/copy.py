"""
The copy of a ledger: read the source while nobody writes to it, and compare at the end.

What can happen, and what stays true:

- The source is locked from the first row to the last comparison, so that what is copied is the
  ledger at one moment. Processes that write to it wait, and then get `StoreBusy`.
- The target is marked as an unfinished copy in the transaction that creates its tables, and until
  the one that finishes it. No cashier opens it before.
- Rows are written in batches, in the order of their keys, each in a transaction that also stores
  how far the copy has come and a digest of the rows so far. After a crash the next run reads the
  rows that were copied from the source again. If their digest is the same, it continues after
  them; if it differs, somebody has written to the source meanwhile, and it begins again.
- At the end the target is read in full, and its digests, balances and rules are checked inside the
  transaction that makes it a ledger. If anything differs, that is rolled back.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol

from paygate.errors import CopyUnfinished, InvalidValue, LedgerCorrupt, LedgerNotEmpty, StoreBusy
from paygate.ledger import book
from paygate.ledger.copying.side import Copied, Progress
from paygate.ledger.copying.tables import copied_tables
from paygate.ledger.row_rules import GAPS
from paygate.ledger.schema_files import SCHEMA, UNFINISHED
from paygate.ledger.tx import Context, SystemClock, TimedIds, Tx
from paygate.printing import counted

if TYPE_CHECKING:
    from collections.abc import Generator

    from paygate.ledger.copying.side import Key, Rows, Side
    from paygate.ledger.copying.tables import Table

_SCHEMA: Final = "schema"
_COPYING: Final = "copying"
"""The fact about an unfinished copy that holds its progress."""
_OWN: Final = frozenset({_SCHEMA, _COPYING, GAPS})
"""The facts about a database that are not copied."""


class Digest:
    """The SHA-256 digest of rows in order."""

    def __init__(self) -> None:
        self._hash = sha256()

    def add(self, rows: Rows) -> None:
        """Add *rows*, whose values are integers, texts, bytes and None."""
        for row in rows:
            self._hash.update(ascii(row).encode())  # unambiguous for these types

    @property
    def text(self) -> str:
        """The digest of the rows so far."""
        return self._hash.hexdigest()


class Tell(Protocol):
    """Reports what a copy does, and how many rows of how many are done."""

    def __call__(self, step: str, done: int, count: int, /) -> object:
        """Report a step."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedTable:
    """A table that was copied: how many rows, and the SHA-256 digest of them in both ledgers."""

    name: str
    rows: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedLedger:
    """A finished copy of a ledger.

    `balances` is the number of balances of ledger accounts that were compared. `began_again` says
    that an earlier run was interrupted, and that the source was written to after it.
    """

    tables: tuple[CopiedTable, ...]
    balances: int
    began_again: bool


def check_source(source: Side) -> None:
    """Raise `InvalidValue` if *source* has no ledger, `CopyUnfinished` if it has a part of one."""
    meta = source.meta()
    if meta is None:
        raise InvalidValue(f"source: there is no ledger in {source.name}", argument="source")
    if meta.get(_SCHEMA) == UNFINISHED:
        raise CopyUnfinished.of(source.name)


def check_target(source: Side, target: Side, *, start_again: bool) -> None:
    """Raise `LedgerNotEmpty` if *target* has another ledger, `InvalidValue` if it is the source."""
    if source.is_same(target):
        raise InvalidValue("source and target are the same ledger", argument="target")
    meta = target.meta()
    if meta is None:
        return
    if meta.get(_SCHEMA) != UNFINISHED:
        if meta.keys() - {_SCHEMA} or not all(map(target.is_empty, copied_tables())):
            raise LedgerNotEmpty(
                f"{target.name} has a ledger already; a ledger is copied only into a database "
                "that has none, or an empty one"
            )
        return
    other = Progress.read(meta[_COPYING]).source
    if other != source.name and not start_again:
        raise LedgerNotEmpty(
            f"{target.name} has an unfinished copy of {other}; finish that, or begin with this one "
            "by start_again=True (--start-again)"
        )


def copy(source: Side, target: Side, tell: Tell, *, start_again: bool) -> CopiedLedger:
    """
    Copy all rows from *source* to *target*, or the rest of them, and compare both.

    Raise `LedgerNotEmpty` if *target* has another ledger, `LedgerCorrupt` if *source* violates a
    rule, and `CopyUnfinished` if *target* differs in the end.
    """
    with _alone(source):
        source.place_events()
        _check_rules(source, tell)
        progress = _begun(source, target, start_again=start_again)
        return _Copy(source, target, progress, tell).run()


@contextmanager
def _alone(side: Side) -> Generator[None]:
    """Run a transaction while nobody else writes to the ledger; commit it if nothing fails."""
    side.begin_alone()
    try:
        yield
        side.commit()
    except BaseException:
        side.roll_back()
        raise


def _begun(source: Side, target: Side, *, start_again: bool) -> Progress:
    """Mark *target* as an unfinished copy, unless it is one; return how far it has come."""
    with _alone(target):
        check_target(source, target, start_again=start_again)
        meta = target.meta()
        unfinished = meta is not None and meta.get(_SCHEMA) == UNFINISHED
        if unfinished and not start_again:
            assert meta is not None, "it was read"
            return Progress.read(meta[_COPYING])
        progress = Progress(source.name)
        if unfinished:
            _wipe(target, progress)
        else:
            if meta is None:
                target.create()
            target.guard(copied_tables(), on=False)
            _mark(target, progress)
        return progress


def _mark(target: Side, progress: Progress) -> None:
    target.set_meta(_SCHEMA, UNFINISHED)
    target.set_meta(_COPYING, progress.text())


def _wipe(target: Side, progress: Progress) -> None:
    target.wipe(copied_tables())
    target.guard(copied_tables(), on=False)
    _mark(target, progress)


class _Copy:
    """One run of a copy, while the source is locked."""

    def __init__(self, source: Side, target: Side, progress: Progress, tell: Tell) -> None:
        self._source, self._target = source, target
        self._progress, self._tell = progress, tell
        self._counts = {table.name: source.count(table) for table in copied_tables()}
        self._done = 0
        self._began_again = False

    def run(self) -> CopiedLedger:
        """Copy the rows that are left, compare, and make the target a ledger."""
        digests = [self._digest_so_far(table) for table in copied_tables()]
        if not all(map(self._is_as_copied, copied_tables(), digests)):
            self._begin_again()
            digests = [Digest() for _ in copied_tables()]
        for table, digest in zip(copied_tables(), digests, strict=True):
            self._copy(table, digest)
        return self._finish()

    def _say(self, step: str, rows: int) -> None:
        self._done += rows
        self._tell(step, self._done, sum(self._counts.values()))

    # --- What an earlier run copied -----------------------------------------------------------

    def _digest_so_far(self, table: Table) -> Digest:
        """Return the digest of the rows of the source up to the last one that was copied."""
        copied = self._progress.tables.get(table.name)
        digest = Digest()
        if copied is not None:
            _read(self._source, table, digest, copied.last)
            self._say(table.name, copied.rows)
        return digest

    def _is_as_copied(self, table: Table, digest: Digest) -> bool:
        copied = self._progress.tables.get(table.name)
        return copied is None or copied.digest == digest.text

    def _begin_again(self) -> None:
        self._began_again, self._done = True, 0
        self._tell("the source has changed: begin again", 0, sum(self._counts.values()))
        self._progress = Progress(self._source.name)
        with _alone(self._target):
            _wipe(self._target, self._progress)

    # --- The rows -----------------------------------------------------------------------------

    def _copy(self, table: Table, digest: Digest) -> None:
        copied = self._progress.tables.get(table.name)
        for found in self._source.rows(table, None if copied is None else copied.last):
            rows = [table.released(row) for row in found]
            digest.add(rows)
            copied = Copied(
                rows=len(rows) + (0 if copied is None else copied.rows),
                last=tuple(found[-1][place] for place in table.key_places),
                digest=digest.text,
            )
            self._write(table, rows, copied)
            self._say(table.name, len(rows))

    def _write(self, table: Table, rows: Rows, copied: Copied) -> None:
        before = self._progress
        after = Progress(before.source, {**before.tables, table.name: copied})
        target = self._target
        with _alone(target):
            if (target.meta() or {}).get(_COPYING) != before.text():
                raise StoreBusy(
                    f"{target.name}: another 'paygate copy' is writing there; let it finish"
                )
            target.insert(table, rows)
            target.set_meta(_COPYING, after.text())
        self._progress = after

    # --- The end ------------------------------------------------------------------------------

    def _finish(self) -> CopiedLedger:
        source, target = self._source, self._target
        with _alone(target):
            tables = tuple(self._compared(table) for table in copied_tables())
            balances = source.balances()
            if target.balances() != balances:
                raise self._differs("balances of ledger accounts")
            self._become_ledger()
            _check_rules(target, self._tell)
        return CopiedLedger(tables=tables, balances=len(balances), began_again=self._began_again)

    def _compared(self, table: Table) -> CopiedTable:
        """Compare a table of both ledgers; the digest of the source was made while it was read."""
        copied = self._progress.tables.get(table.name)
        digest = Digest()
        rows = _read(self._target, table, digest)
        expected = Digest().text if copied is None else copied.digest
        if digest.text != expected:
            raise self._differs(table.name)
        self._tell(f"compare {table.name}", self._done, sum(self._counts.values()))
        return CopiedTable(name=table.name, rows=rows, digest=expected)

    def _differs(self, what: str) -> CopyUnfinished:
        return CopyUnfinished(
            f"{self._target.name} differs from {self._source.name} in {what}, because something "
            "else has written there; begin again by start_again=True (--start-again)"
        )

    def _become_ledger(self) -> None:
        target = self._target
        for name, value in (self._source.meta() or {}).items():
            if name not in _OWN:
                target.set_meta(name, value)
        target.settle(copied_tables(), self._source.counters())
        target.guard(copied_tables(), on=True)
        target.set_meta(_COPYING, None)
        target.set_meta(_SCHEMA, str(SCHEMA))


def _read(side: Side, table: Table, digest: Digest, until: Key | None = None) -> int:
    """Add the rows of *table* up to a key to *digest*, and return their number."""
    count = 0
    for found in side.rows(table, None, until):
        digest.add([table.released(row) for row in found])
        count += len(found)
    return count


def _check_rules(side: Side, tell: Tell) -> None:
    """Raise `LedgerCorrupt` if a rule of the ledger is violated for any tenant."""
    found: list[book.Violation] = []
    for number, tenant in enumerate(side.tenants() or ["main"]):
        context = Context(tenant=tenant, actor="copy", clock=SystemClock(), ids=TimedIds())
        found += book.check(
            Tx(side.session, context),
            # The first rule is about the file, whoever the tenant is.
            book.RULES[min(number, 1) :],
            progress=lambda name, number, count: tell(f"check {name}", number, count),
        )
    if found:
        raise LedgerCorrupt(
            f"{side.name} violates {counted(len(found), 'rule')} of a ledger, so it is not copied; "
            f"the first is {found[0].rule}, {found[0].subject}: {found[0].detail}; 'paygate fsck' "
            "lists them"
        )
