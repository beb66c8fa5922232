"""The verbs that send nothing, inside a transaction that the host has open."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from paygate.cashier.desk import BookDesk
from paygate.cashier.verbs import AtOnce
from paygate.driving import drive
from paygate.errors import NotAllowedHere, UsageError
from paygate.service.flow import Read, Write

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from paygate.ledger.store import Store, Writes
    from paygate.ledger.tx import Context
    from paygate.service.flow import Flow, Step

T = TypeVar("T")


class Lends:
    """What both faces have: the host can lend them a connection."""

    _store: Store
    _context: Context
    _period_closed: Callable[[date], bool] | None

    def within(self, connection: object) -> Within:
        """
        Return the verbs that send nothing, for use inside the host's own open transaction.

        *connection* is to the database that holds the ledger: a `sqlite3.Connection`, a
        `psycopg.Connection`, a ``Connection`` of SQLAlchemy, or Django's ``connection``. The
        changes become durable with the host's commit, or are rolled back with its transaction.
        The verbs return when they are done; in asyncio, call them inside ``run_sync`` of an async
        connection of SQLAlchemy.

        Raise `InvalidValue` for what is no connection to this ledger, `SchemaMismatch` if it sees
        no ledger, and `NotAllowedHere` if no transaction is open on it or the transaction is one in
        which the rules of the books do not hold: on PostgreSQL, any but READ COMMITTED.
        """
        from paygate.ledger.lending import lent

        if not self._context.tenant:
            raise UsageError("say whose books you mean: for_tenant(…).within(…)")
        store = self._store.lend(partial(lent, connection))
        return Within(store, self._context, self._period_closed)


class Within(AtOnce, BookDesk):
    """The verbs that send nothing, inside a transaction of the host."""

    def __init__(
        self,
        store: Writes,
        context: Context,
        period_closed: Callable[[date], bool] | None,
        *,
        repeated: bool = False,
    ) -> None:
        self.repeated = repeated
        """Whether the request was done before: see `once`. False in a transaction of the host."""
        self._store = store
        self._context = context
        self._period_closed = period_closed

    def _run(self, flow: Flow[T]) -> T:
        return drive(flow, self._do)

    def _do(self, step: Step) -> Any:
        if not isinstance(step, Write | Read):
            raise NotAllowedHere("this verb sends something; call it on the cashier instead")
        return self._store.write(self._context, step.work)
