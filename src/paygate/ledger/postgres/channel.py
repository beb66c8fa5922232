"""Channels: statements that travel together on a connection of the ledger.

Each statement that is waited for costs a round trip to the server. Many need no answer: a row that
is inserted, a total that is raised. A channel keeps those back and sends them together with the
next statement that needs an answer, in libpq's pipeline mode. The server executes all of them in
their order. If one fails, it ignores the rest, and the error is raised at the next wait for an
answer; then the transaction is rolled back, as if each statement had been waited for.

Behind a pooler and on a connection that the host lends, statements are executed one by one, with
the cursors of psycopg (`Cursors`).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, PipelineStatus
from psycopg.waiting import Ready, Wait

from paygate.ledger.postgres.statements import numbered

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from psycopg.pq.abc import PGconn, PGresult

    from paygate.ledger.postgres.patience import PatientConnection
    from paygate.ledger.tx import Row

Params: TypeAlias = "Mapping[str, Any]"

NOTHING: Final[Params] = {}

_FAILED: Final = frozenset({ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED})


class Record:
    """A row of a query that is read row by row; columns are read by name or in order."""

    __slots__ = ("_indexes", "_values")

    def __init__(self, indexes: Mapping[str, int], values: Sequence[Any]) -> None:
        self._indexes = indexes
        self._values = values

    def __getitem__(self, key: str | int, /) -> Any:
        return self._values[self._indexes[key] if isinstance(key, str) else key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)


@lru_cache(maxsize=1024)
def _indexes(names: tuple[str, ...]) -> Mapping[str, int]:
    """Return the index of each column."""
    return {name: index for index, name in enumerate(names)}


class Statements(Protocol):
    """Executes statements in a transaction, in the order in which they are given."""

    def take_time(self) -> None:
        """Let answers take as long as they need until the transaction ends."""
        ...

    def send(self, sql: bytes, params: Params = NOTHING, /) -> None:
        """Execute a statement now or later, but before any that is given afterwards."""
        ...

    def batch(self, sql: bytes, params: Sequence[Params], /) -> None:
        """Execute a statement once for each of *params*, now or later."""
        ...

    def count(self, sql: bytes, params: Params = NOTHING, /) -> int:
        """Execute a statement and return how many rows it changed or found."""
        ...

    def rows(self, sql: bytes, params: Params = NOTHING, /) -> Sequence[Row]:
        """Return all rows of a query."""
        ...

    def records(self, sql: bytes, params: Params = NOTHING, /) -> Sequence[Record]:
        """Return all rows of a query, with their columns in order."""
        ...


class Cursors:
    """Executes each statement at once, with the cursors of psycopg."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._cursor = connection.cursor()

    def take_time(self) -> None:
        """Let answers take as long as they need until the transaction ends."""
        self._connection.silence_s = None

    def send(self, sql: bytes, params: Params = NOTHING, /) -> None:
        """Execute a statement."""
        self._cursor.execute(sql, params)

    def batch(self, sql: bytes, params: Sequence[Params], /) -> None:
        """Execute a statement once for each of *params*."""
        self._cursor.executemany(sql, params)

    def count(self, sql: bytes, params: Params = NOTHING, /) -> int:
        """Execute a statement and return how many rows it changed or found."""
        return int(self._cursor.execute(sql, params).rowcount)

    def rows(self, sql: bytes, params: Params = NOTHING, /) -> Sequence[Row]:
        """Return all rows of a query."""
        found: Sequence[Row] = self._cursor.execute(sql, params).fetchall()
        return found

    def records(self, sql: bytes, params: Params = NOTHING, /) -> Sequence[Record]:
        """Return all rows of a query, with their columns in order."""
        cursor = self._connection.cursor(row_factory=_record_row)
        found: Sequence[Record] = cursor.execute(sql, params).fetchall()
        return found


def _record_row(cursor: psycopg.Cursor[Any]) -> Callable[[Sequence[Any]], Record]:
    indexes = _indexes(tuple(column.name for column in cursor.description or ()))
    return lambda values: Record(indexes, values)


class Channel:
    """Sends statements that need no answer together with the next one that needs one.

    Between `begin` and `end` or `abandon`, only the channel may use its connection.
    """

    def __init__(self, connection: PatientConnection) -> None:
        self._connection = connection
        self._pgconn: PGconn = connection.pgconn
        self._transformer = Transformer(connection)
        self._names: dict[_Prepared, bytes] = {}
        self._numbers = count(1)
        self._sent: list[_Sent] = []
        self.failed = b""
        """The statement of the last error."""
        self.is_heard = False
        """Whether the server has answered in this transaction."""

    # --- A transaction ------------------------------------------------------------------------

    def begin(self, first: Sequence[bytes]) -> None:
        """Begin a transaction with these statements, which are sent with the next one."""
        self.failed, self.is_heard = b"", False
        self._pgconn.enter_pipeline_mode()
        for sql in first:
            self.send(sql)

    def settle(self) -> None:
        """
        Wait for the server once, if nothing was waited for yet.

        A connection that was lost before this transaction must not be noticed only at its COMMIT.
        """
        if self._sent and not self.is_heard:
            self._answers()

    def end(self, last: bytes) -> str:
        """Execute the *last* statement of the transaction and return what the server did."""
        if self.failed:
            self.abandon()
            return "ROLLBACK"
        self._pgconn.send_query_params(last, None)
        self._pgconn.pipeline_sync()
        self._sent += [(last, None), (b"", None)]
        done = self._answers()[-2]
        self._pgconn.exit_pipeline_mode()
        return (done.command_status or b"").decode()

    def abandon(self) -> None:
        """Leave pipeline mode after an error; close the connection if that fails."""
        if self._pgconn.pipeline_status == PipelineStatus.OFF:
            return
        self._sent.clear()
        try:
            self._pgconn.send_query_params(b"ROLLBACK", None)
            self._pgconn.pipeline_sync()
            self._connection.wait(_until_synced(self._pgconn))
            self._pgconn.exit_pipeline_mode()
        except psycopg.Error:
            self._connection.close()

    # --- A statement --------------------------------------------------------------------------

    def take_time(self) -> None:
        """Let answers take as long as they need until the transaction ends."""
        self._connection.silence_s = None

    def send(self, sql: bytes, params: Params = NOTHING, /) -> None:
        """Execute a statement together with the next one that is answered."""
        text, names = numbered(sql)
        transformer = self._transformer
        values = transformer.dump_sequence(
            [params[name] for name in names], [PyFormat.AUTO] * len(names)
        )
        prepared = (text, transformer.types or ())
        name = self._names.get(prepared)
        if name is None:
            name = self._names[prepared] = b"paygate_%d" % next(self._numbers)
            self._pgconn.send_prepare(name, text, param_types=prepared[1])
            self._sent.append((sql, prepared))
        self._pgconn.send_query_prepared(name, values, param_formats=transformer.formats)
        self._sent.append((sql, None))

    def batch(self, sql: bytes, params: Sequence[Params], /) -> None:
        """Execute a statement once for each of *params*, with the next one that is answered."""
        for each in params:
            self.send(sql, each)

    def count(self, sql: bytes, params: Params = NOTHING, /) -> int:
        """Execute a statement and return how many rows it changed or found."""
        self.send(sql, params)
        return self._answers()[-1].command_tuples or 0

    def rows(self, sql: bytes, params: Params = NOTHING, /) -> Sequence[Row]:
        """Return all rows of a query."""
        self.send(sql, params)
        result = self._answers()[-1]
        names = _names(result)
        return self._load(result, lambda values: dict(zip(names, values, strict=True)))

    def records(self, sql: bytes, params: Params = NOTHING, /) -> Sequence[Record]:
        """Return all rows of a query, with their columns in order."""
        self.send(sql, params)
        result = self._answers()[-1]
        indexes = _indexes(tuple(_names(result)))
        return self._load(result, lambda values: Record(indexes, values))

    def _load(self, result: PGresult, make: Callable[[Sequence[Any]], Any]) -> list[Any]:
        self._transformer.set_pgresult(result)
        return self._transformer.load_rows(0, result.ntuples, make)

    def _answers(self) -> list[PGresult]:
        """Return the answers to all that was sent; raise the first error among them."""
        sent, self._sent = self._sent, []
        if sent[-1][0]:  # after a synchronization, the server answers without being asked to
            self._pgconn.send_flush_request()
        try:
            results = self._connection.wait(_exchange(self._pgconn, len(sent)))
        except BaseException:
            self._forget(sent)
            raise
        for place, ((sql, _), result) in enumerate(zip(sent, results, strict=True)):
            if result.status in _FAILED:
                self._forget(sent[place:])
                if self.failed:
                    raise psycopg.errors.PipelineAborted("a statement failed earlier")
                self.failed = sql
                raise error_from_result(result)
        self.is_heard = True
        return results

    def _forget(self, sent: Sequence[_Sent]) -> None:
        """Prepare again under another name what these may not have prepared."""
        for _, prepared in sent:
            if prepared is not None:
                self._names.pop(prepared, None)


_Prepared: TypeAlias = "tuple[bytes, tuple[int, ...]]"
_Sent: TypeAlias = "tuple[bytes, _Prepared | None]"


def _names(result: PGresult) -> list[str]:
    return [(result.fname(place) or b"").decode() for place in range(result.nfields)]


def _exchange(pgconn: PGconn, answers: int) -> Generator[Wait, Ready | int, list[PGresult]]:
    """Send what is to be sent, and return the next *answers* results."""
    while pgconn.flush():
        if (yield Wait.RW) & Ready.R:  # the server may stop to read until its answers are read
            pgconn.consume_input()
    results: list[PGresult] = []
    while len(results) < answers:
        result = yield from _next(pgconn)
        if result is not None:
            results.append(result)
    return results


def _until_synced(pgconn: PGconn) -> Generator[Wait, Ready | int, None]:
    """Read answers up to the synchronization."""
    yield from _exchange(pgconn, 0)
    while True:
        result = yield from _next(pgconn)
        if result is not None and result.status == ExecStatus.PIPELINE_SYNC:
            return


def _next(pgconn: PGconn) -> Generator[Wait, Ready | int, PGresult | None]:
    """Return the next answer, or None after each answer to a statement."""
    while pgconn.is_busy():
        if (yield Wait.R):
            pgconn.consume_input()
    result = pgconn.get_result()
    if result is None and pgconn.status != ConnStatus.OK:
        raise psycopg.OperationalError("the connection is lost")
    return result
