"""The consistency check: rebuild every stored balance and compare (`paygate fsck`).

The database itself is checked first. Each query is read row by row and sorts on disk,
so that checking a large ledger needs no more memory than checking a small one.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from paygate.errors import InvalidValue, LedgerCorrupt
from paygate.ledger import holding
from paygate.ledger.row_rules import FILE, ROW_RULES
from paygate.ledger.state_rules import STATE_RULES
from paygate.ledger.sum_rules import SUM_RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from paygate.ledger.rule import Rule
    from paygate.ledger.tx import Tx

RULES: Final[tuple[Rule, ...]] = (FILE, *SUM_RULES, *STATE_RULES, *ROW_RULES)
"""The invariants of a ledger, each as a query for the rows that violate it."""

NAMED_MAX: Final = 100
"""How many violations of one rule are listed; the others are counted."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A row that violates a rule of the ledger."""

    rule: str
    subject: str
    detail: str


def chosen(names: Collection[str] | None) -> Sequence[Rule]:
    """Return the rules with these *names*, or all; raise `InvalidValue` for an unknown name."""
    if names is None:
        return RULES
    known = {rule.name for rule in RULES}
    for name in names:
        if name not in known:
            raise InvalidValue(
                f"there is no rule {name!r:.80}; the reference lists the {len(known)} rules, such "
                f"as {min(known)}",
                argument="rules",
            )
    return [rule for rule in RULES if rule.name in names]


def check(
    tx: Tx,
    rules: Sequence[Rule] = RULES,
    progress: Callable[[str, int, int], object] | None = None,
) -> list[Violation]:
    """
    Check *rules* and return the violations; an empty list means a sound ledger.

    *progress* is called before each rule with its name, its number and the number of rules.
    If more than `NAMED_MAX` rows violate a rule, its last violation gives the number of the
    others. If a page of the file is unreadable, the remaining rules are not checked.
    """
    found: list[Violation] = []
    with tx.reading_all():
        for number, rule in enumerate(rules, start=1):
            if progress is not None:
                progress(rule.name, number, len(rules))
            try:
                broken = _broken(tx, rule)
            except (sqlite3.DatabaseError, LedgerCorrupt) as error:
                if not _is_damage(error):
                    raise
                found.append(Violation(FILE.name, "file", str(error)))
                break
            found += broken
    return found


def _broken(tx: Tx, rule: Rule) -> list[Violation]:
    named: list[Violation] = []
    more = 0
    for row in _rows(tx, rule):
        detail = rule.judge(row)
        if detail is None:
            continue
        if len(named) == NAMED_MAX:
            more += 1
        else:
            named.append(Violation(rule.name, str(row["subject"]), detail))
    if more:
        named.append(Violation(rule.name, "others", f"{more} more rows violate this rule"))
    return named


def _rows(tx: Tx, rule: Rule) -> Iterator[Any]:
    """Yield the rows that the queries of *rule* find; a query that fails is a violation."""
    for sql in rule.statements:
        try:
            yield from tx.each(sql, {"tenant": tx.tenant})
        except sqlite3.OperationalError as error:
            # The error for text that is not UTF-8 has no code: the file is damaged.
            if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR:
                raise
            yield {"subject": "a row", "detail": f"cannot be read: {error}"}


def _is_damage(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def mode(tx: Tx) -> str | None:
    """Return the ledger's mode, ``live`` or ``test``; None if it is not set yet."""
    row = tx.one(_MODE, {})
    return None if row is None else str(row["value"])


def set_mode(tx: Tx, wanted: str) -> str:
    """Set the ledger's mode unless it is set already; return the mode it has."""
    holding.hold_ledger(tx)
    tx.execute(_SET_MODE, {"mode": wanted})
    return mode(tx) or wanted


_MODE = "SELECT value FROM paygate_meta WHERE name = 'mode'"
_SET_MODE = """
INSERT INTO paygate_meta (name, value) VALUES ('mode', :mode) ON CONFLICT DO NOTHING
"""
