"""The rule of `paygate.ledger.roots` as an error: nothing is written without its root.

On SQLite no root has to be locked, so a unit that forgot one would be right there and wrong on
PostgreSQL. In tests every statement that writes is checked on both. On SQLite it is also checked
whose the rows are: a parameter that is the id of a payment, an invoice or a method, say, must be of
a customer whom the unit holds.
"""

import json
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from paygate.ledger import sqlite_session
from paygate.ledger.postgres import session as postgres_session
from paygate.ledger.postgres.host import HostStore as PostgresHostStore
from paygate.ledger.postgres.store import PostgresStore
from paygate.ledger.roots import LEDGER, ROOTS, Holding, Root, RootKind, table_written
from paygate.ledger.sqlite import SqliteStore
from paygate.ledger.sqlite_host import HostStore
from paygate.ledger.statements import positional

_ID: Final = re.compile(r"(pay|att|inv|rcp|crd|alc|rev|wof|cbk|met|num|man)_\w+")

_OF_PAYMENT: Final = "SELECT tenant, customer, payer, id FROM paygate_payment WHERE id = :id"
_VIA_PAYMENT: Final = """
SELECT p.tenant, p.customer, p.payer, p.id FROM {table} x JOIN paygate_payment p ON p.id = x.payment
WHERE x.id = :id
"""
_VIA_ITEM: Final = """
SELECT i.tenant, i.customer, '' AS payer, '' AS id FROM {table} x
JOIN paygate_item i ON i.id = x.item WHERE x.id = :id
"""
_OWN: Final = "SELECT tenant, customer, '' AS payer, '' AS id FROM {table} WHERE id = :id"
_OWNERS: Final[Mapping[str, str]] = {
    "pay": _OF_PAYMENT,
    "att": _VIA_PAYMENT.format(table="paygate_attempt"),
    "inv": _OWN.format(table="paygate_item"),
    "rcp": _VIA_PAYMENT.format(table="paygate_receipt"),
    "crd": _OWN.format(table="paygate_credit"),
    "alc": _VIA_ITEM.format(table="paygate_allocation"),
    "rev": _VIA_PAYMENT.format(table="paygate_reversal"),
    "wof": _VIA_ITEM.format(table="paygate_write_off"),
    "cbk": _VIA_PAYMENT.format(table="paygate_chargeback"),
    "met": _OWN.format(table="paygate_method"),
    "num": _OWN.format(table="paygate_payer_number"),
    "man": _OWN.format(table="paygate_mandate"),
}
_PLAN: Final = "SELECT tenant, method_plan FROM paygate_attempt WHERE id = :id"


class Unheld(BaseException):
    """A unit of work writes what it does not hold; no code of ours may take that for a refusal."""


class _Checks:
    """Checks what one transaction on SQLite writes, where nothing has to be locked."""

    def __init__(self, connection: Any) -> None:
        self.holding = Holding()
        self._connection = connection
        self._owners: dict[str, frozenset[Root]] = {}

    def read(self, sql: str, params: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Read past what a test has put in the way of statements, or counts them with."""
        text, values = positional(sql)
        connection = self._connection
        real = isinstance(connection, sqlite3.Connection)
        cursor: Any = sqlite3.Connection.cursor(connection) if real else connection.cursor()
        cursor.row_factory = None
        cursor.execute(text, values(params))
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def check(self, sql: str, params: Iterable[Mapping[str, Any]]) -> None:
        table = table_written(sql)
        if table is None or LEDGER in self.holding.held:
            return
        if not self.holding.covers(sql):
            raise Unheld(f"{table} is written without its root: {' '.join(sql.split())}")
        if RootKind.CUSTOMER not in ROOTS.get(table, ()):
            return
        for each in params:
            self._check_owners(table, each)

    def _check_owners(self, table: str, params: Mapping[str, Any]) -> None:
        customer, tenant = params.get("customer"), params.get("tenant")
        if customer and isinstance(tenant, str):
            self._require(table, "customer", {Root(RootKind.CUSTOMER, tenant, customer)})
        for name, value in params.items():
            found = _ID.fullmatch(value) if isinstance(value, str) else None
            if found is not None:
                self._require(table, f"{name} {value}", self._owner(found[1], value))

    def _require(self, table: str, what: str, roots: Iterable[Root]) -> None:
        missing = [str(root) for root in roots if root not in self.holding.held]
        if missing:
            held = ", ".join(map(str, self.holding.held)) or "nothing"
            raise Unheld(f"{table}, {what}: {', '.join(missing)} is not held; held is {held}")

    def _owner(self, noun: str, id_: str) -> Iterable[Root]:
        if id_ not in self._owners:
            found = self._find(noun, id_)
            if not found:
                return ()
            self._owners[id_] = found
        return self._owners[id_]

    def _find(self, noun: str, id_: str) -> frozenset[Root]:
        for row in self.read(_OWNERS[noun], {"id": id_}):
            if row["customer"]:
                return frozenset({Root(RootKind.CUSTOMER, row["tenant"], row["customer"])})
            return frozenset({Root(RootKind.PAYMENT, row["tenant"], row["id"])})
        for row in self.read(_PLAN, {"id": id_}) if noun == "att" else ():
            whose = json.loads(row["method_plan"])["customer"]
            return frozenset({Root(RootKind.CUSTOMER, row["tenant"], whose)})
        return frozenset()


class _Checking:
    """What the sessions on SQLite have in common."""

    locks = True
    _checks: _Checks

    def hold(self, roots: Iterable[Root]) -> None:
        self._checks.holding.held.update(roots)

    def own(self, root: Root) -> None:
        self._checks.holding.held.add(root)

    def peek(self, sql: str, params: Mapping[str, Any], /) -> Sequence[Any]:
        return self._checks.read(sql, params)


class CheckedSession(_Checking, sqlite_session.Session):
    """A session on SQLite that checks that what is written is held."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._checks = _Checks(connection)

    def run(self, sql: str, params: Mapping[str, Any]) -> int:
        self._checks.check(sql, (params,))
        return super().run(sql, params)

    def all(self, sql: str, params: Mapping[str, Any]) -> Sequence[Any]:
        self._checks.check(sql, (params,))
        return super().all(sql, params)

    def many(self, sql: str, params: Sequence[Mapping[str, Any]]) -> None:
        self._checks.check(sql, params)
        super().many(sql, params)


class CheckedHostSession(_Checking, sqlite_session.HostSession):
    """The same inside a transaction of the host's."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._checks = _Checks(connection)

    def run(self, sql: str, params: Mapping[str, Any]) -> int:
        self._checks.check(sql, (params,))
        return super().run(sql, params)

    def all(self, sql: str, params: Mapping[str, Any]) -> Sequence[Any]:
        self._checks.check(sql, (params,))
        return super().all(sql, params)

    def many(self, sql: str, params: Sequence[Mapping[str, Any]]) -> None:
        self._checks.check(sql, params)
        super().many(sql, params)


class CheckedPostgresSession(postgres_session.Session):
    """A session on PostgreSQL to which a forgotten root is an error."""

    __slots__ = ()

    def forgotten(self, sql: str, /) -> None:
        raise Unheld(f"this is written without its root: {' '.join(sql.split())}")


def check_everywhere() -> None:
    """Let every store that tests open check that roots are held."""
    SqliteStore.session_class = CheckedSession
    HostStore.session_class = CheckedHostSession
    PostgresStore.session_class = CheckedPostgresSession
    PostgresHostStore.session_class = CheckedPostgresSession
