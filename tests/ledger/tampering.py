"""Tampering: every column of every table is changed, one row at a time, and rows are deleted."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from paygate.ledger.book import RULES
from paygate.ledger.row_rules import FILE
from paygate.testing.simulation.footprints import reads

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from paygate.ledger.rule import Rule

TENANTS = ("main", "south")

KINDS = (
    "kind",
    "state",
    "status",
    "operation",
    "type",
    "account",
    "reason",
    "cause",
    "name",
    "address",
)
"""Columns that tell kinds of rows apart: one row of each combination is tampered with."""

ROWS_MAX = 12
"""Of how many kinds of rows of a table, in which each column has most of its values."""

TIMES = ("_at", "_on", "_by", "due", "effective", "expires", "_until", "_since", "on_date")


@dataclass
class Tampered:
    """What became of the tampering with one column; `DELETE` stands for that of whole rows."""

    column: str
    tried: int = 0
    refused: int = 0
    noticed: int = 0
    missed: list[str] = field(default_factory=list)


class Ledger:
    """A copy of a ledger in memory, without the triggers and checks that guard it."""

    def __init__(self, path: str) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        with sqlite3.connect(path) as source:
            source.backup(self.connection)
        source.close()
        self.connection.row_factory = sqlite3.Row
        self.connection.execute("PRAGMA ignore_check_constraints = ON")
        for (name,) in self.all("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            self.connection.execute(f"DROP TRIGGER {name}")

    def all(self, sql: str, *values: Any) -> list[Any]:
        return self.connection.execute(sql, values).fetchall()

    def tables(self) -> list[str]:
        sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'paygate_%'"
        return sorted(name for (name,) in self.all(sql))

    def columns(self, table: str) -> list[Any]:
        return self.all("SELECT * FROM pragma_table_info(?) ORDER BY cid", table)

    def key(self, table: str) -> list[str]:
        return [each["name"] for each in self.columns(table) if each["pk"]]

    def rows(self, table: str) -> list[Any]:
        """Return one row of each kind, those first that say what no other one says."""
        kinds: dict[tuple[Any, ...], Any] = {}
        names = [each["name"] for each in self.columns(table)]
        for row in self.all(f"SELECT * FROM {table}"):  # noqa: S608  (names of the schema)
            if "tenant" in names and row["tenant"] != TENANTS[0]:
                continue
            kind = tuple(row[name] for name in names if name in KINDS)
            empty = tuple(row[name] in (None, "", 0) for name in names)
            kinds.setdefault((*kind, empty), row)
        return self._most_different(names, list(kinds.values()))

    def _most_different(self, names: Sequence[str], rows: list[Any]) -> list[Any]:
        """Choose rows so that each column is seen with and without a value, and in its kinds."""
        chosen: list[Any] = []
        seen: set[tuple[str, Any]] = set()

        def news(row: Any) -> set[tuple[str, Any]]:
            told = {(name, row[name] in (None, "", 0)) for name in names}
            return (told | {(name, row[name]) for name in names if name in KINDS}) - seen

        while rows and len(chosen) < ROWS_MAX:
            best = max(rows, key=lambda row: len(news(row)))
            if not news(best):
                break
            seen |= news(best)
            chosen.append(best)
            rows.remove(best)
        return chosen

    def values(self, table: str, column: Any, row: Any) -> list[Any]:
        """Return what the column of this row might say instead."""
        name, there = column["name"], row[column["name"]]
        others = [
            value
            for (value,) in self.all(
                f"SELECT DISTINCT {name} FROM {table} WHERE {name} IS NOT ? "  # noqa: S608  (names of the schema)
                f"AND {name} IS NOT NULL AND {name} <> '' ORDER BY {name} LIMIT 40",
                there,
            )
        ]
        found: list[Any] = others[:1] + others[-1:]
        if isinstance(there, bytes):
            found.append(there[:-1] + b"x")
        elif column["type"] == "INTEGER":
            found += [1] if there is None else [there + 1, there - 1]
        elif any(name.endswith(end) for end in TIMES):
            found += ["9999-12-31" if there is None else "9999-12-31" + there[10:]]
        elif name == "currency" or name.endswith("_currency"):
            found.append("JPY")
        else:
            found.append(f"{there or ''}x")
        if not column["notnull"] and not column["pk"]:
            found.append(None)
        return [value for value in dict.fromkeys(found) if value != there]

    def tamper(self, table: str, column: Any) -> Tampered:
        """Change one column in rows of each kind, one at a time."""
        name = column["name"]
        done = Tampered(f"{table}.{name}")
        for row in self.rows(table):
            for value in self.values(table, column, row):
                sql = f"UPDATE {table} SET {name} = ? WHERE {self._where(table)}"  # noqa: S608  (names of the schema)
                self._try(
                    done, (f"{table}.{name}",), sql, (value, *self._key_of(table, row)), value
                )
        return done

    def delete(self, table: str) -> Tampered:
        """Delete a row of each kind, one at a time."""
        done = Tampered(f"{table}.DELETE")
        for row in self.rows(table):
            sql = f"DELETE FROM {table} WHERE {self._where(table)}"  # noqa: S608  (names of the schema)
            self._try(done, (table,), sql, self._key_of(table, row), None)
        return done

    def _where(self, table: str) -> str:
        return " AND ".join(f"{name} IS ?" for name in self.key(table))

    def _key_of(self, table: str, row: Any) -> tuple[Any, ...]:
        return tuple(row[name] for name in self.key(table))

    def _try(
        self,
        done: Tampered,
        written: tuple[str, ...],
        sql: str,
        values: tuple[Any, ...],
        value: Any,
    ) -> None:
        done.tried += 1
        self.connection.execute("BEGIN")
        try:
            changed = self.connection.execute(sql, values).rowcount
            assert changed == 1, (sql, values)
            if self._is_noticed(written):
                done.noticed += 1
            else:
                key = values if sql.startswith("DELETE") else values[1:]
                done.missed.append(f"{' '.join(map(str, key))} -> {value!r}")
        except sqlite3.IntegrityError:
            done.refused += 1
        finally:
            self.connection.execute("ROLLBACK")

    def _is_noticed(self, written: tuple[str, ...]) -> bool:
        return any(
            self._breaks(rule, sql, tenant) for tenant in TENANTS for rule, sql in asked_of(written)
        )

    def _breaks(self, rule: Rule, sql: str, tenant: str) -> bool:
        try:
            rows = self.connection.execute(sql, {"tenant": tenant})
            return any(rule.judge(row) is not None for row in rows)
        except sqlite3.OperationalError as error:
            return error.sqlite_errorcode == sqlite3.SQLITE_ERROR


@cache
def asked_of(written: tuple[str, ...]) -> list[tuple[Rule, str]]:
    """Return the statements of rules that read what was *written*, those about the file last."""
    asked = [(rule, sql) for rule in RULES for sql in rule.statements]
    about_file = [each for each in asked if each[0] is FILE or "pragma_" in each[1]]
    return [
        each for each in asked if each not in about_file and not reads(each[1]).isdisjoint(written)
    ] + about_file


def tamper_with_everything(path: str) -> Iterator[Tampered]:
    """Tamper with each column of each table of the ledger at *path*, and tell what came of it."""
    ledger = Ledger(path)
    for table in ledger.tables():
        for column in ledger.columns(table):
            yield ledger.tamper(table, column)
        yield ledger.delete(table)
