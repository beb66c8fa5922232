"""Translation of the ledger's statements into PostgreSQL's dialect.

Each statement is written once, in SQLite's dialect, with parameters such as ``:tenant``. This
module rewrites its text for psycopg and PostgreSQL:

- ``INDEXED BY`` and the unary plus that keeps SQLite's planner from an index (``+p.tenant``) are
  removed: PostgreSQL has no hints.
- ``a IS NOT b``, which compares values in SQLite, becomes ``IS DISTINCT FROM``.
- ``rowid``, the order in which events were written, is the column ``number``.
- ``max`` and ``min`` of several values, JSON functions and empty bytes have other names.

Three statements query the database about itself; each has a separate text for PostgreSQL. So have
those that assign positions to events, and those that find jobs to take.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from paygate.ledger.jobs import TO_TAKE
from paygate.ledger.outbox import PLACE, UNPLACED
from paygate.ledger.receipts import BOOK, NEXT_NUMBER
from paygate.ledger.row_rules import FILE, MISSING_REFERENCES, NUMBERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# A disabled constraint or trigger, or an index whose creation was interrupted, enforces nothing.
_GUARDS: Final = """
SELECT c.relname AS subject, 'the constraint ' || k.conname || ' is not validated' AS detail
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE NOT k.convalidated AND c.oid = ANY (
  SELECT oid FROM pg_class WHERE relname LIKE 'paygate_%' AND pg_table_is_visible(oid))
UNION ALL
SELECT c.relname, 'the trigger ' || t.tgname || ' is disabled'
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE t.tgenabled <> 'O' AND c.relname LIKE 'paygate_%' AND pg_table_is_visible(c.oid)
UNION ALL
SELECT c.relname, 'the index ' || i.relname || ' is not valid; rebuild it with REINDEX'
FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
WHERE NOT x.indisvalid AND c.relname LIKE 'paygate_%' AND pg_table_is_visible(c.oid)
"""

# A rollback leaves a gap in the numbers, so they do not count rows. They only have to be free: the
# next one may be taken if a table was restored without its sequence.
_NEXT_NUMBERS: Final = " UNION ALL ".join(
    f"SELECT 'paygate_{table}' AS subject, 'rows are numbered up to ' || max(t.{column}) "
    f"|| ', but the next number is already taken' AS detail FROM paygate_{table} t "
    f"HAVING max(t.{column}) > coalesce("
    f"pg_sequence_last_value(pg_get_serial_sequence('paygate_{table}', '{column}')), 0)"
    for table, column in (
        *(("posting", "id"), ("inbox", "id"), ("outbox", "number"), ("receipt", "number")),
    )
)

_UNPLACED: Final = """
SELECT occurred_at FROM paygate_outbox WHERE position IS NULL AND tenant = :tenant
ORDER BY number LIMIT 1
"""
_PLACE: Final = """
UPDATE paygate_outbox o
SET position = (SELECT coalesce(max(position), 0) FROM paygate_outbox) + w.place
FROM (
  SELECT number, row_number() OVER (ORDER BY number) AS place
  FROM paygate_outbox WHERE position IS NULL) w
WHERE o.number = w.number AND o.position IS NULL
"""

FOREIGN_KEYS: Final = (
    ("review", "payment", "payment"),
    ("attempt", "payment", "payment"),
    ("attempt_request", "attempt", "attempt"),
    ("attempt_try", "attempt", "attempt"),
    ("link_item", "link", "link"),
    ("link_item", "item", "item"),
    ("payment", "link", "link"),
    ("claim", "payment", "payment"),
    ("claim", "item", "item"),
    ("claim", "credit", "credit"),
    ("claim", "prepayment", "item"),
    ("hold", "attempt", "attempt"),
    ("hold", "credit", "credit"),
    ("refund_item", "attempt", "attempt"),
    ("refund_item", "item", "item"),
    ("receipt", "payment", "payment"),
    ("early_return", "payment", "payment"),
    ("taken", "receipt", "receipt"),
    ("allocation", "item", "item"),
    ("allocation", "receipt", "receipt"),
    ("allocation", "credit", "credit"),
    ("allocation", "prepayment", "item"),
    ("invoice", "item", "item"),
    ("document", "item", "item"),
    ("prepayment", "item", "item"),
    ("prepayment", "replaced_by", "item"),
    ("write_off", "item", "item"),
    ("write_off", "receipt", "receipt"),
    ("reversal", "payment", "payment"),
    ("reversal", "fee_item", "item"),
    ("chargeback", "payment", "payment"),
    ("chargeback_item", "chargeback", "chargeback"),
    ("chargeback_item", "item", "item"),
    ("chargeback_item", "write_off", "write_off"),
    ("quote", "attempt", "attempt"),
    ("arrival", "attempt", "attempt"),
    ("subscription", "mandate", "mandate"),
    ("bank_line", "statement", "bank_statement"),
    ("bank_match", "line", "bank_line"),
    ("bank_match", "payment", "payment"),
    ("autopay_line", "run", "autopay_run"),
    ("autopay_line", "payment", "payment"),
    ("autopay_item", "payment", "payment"),
    ("autopay_item", "item", "item"),
    ("autopay_item", "line", "autopay_line"),
    ("episode", "anchor", "item"),
    ("stage", "episode", "episode"),
    ("stage", "fee", "item"),
    ("promise", "episode", "episode"),
)
"""The foreign keys of the schema: table, column, and the table whose `id` the column holds."""

_MISSING: Final = " UNION ALL ".join(
    f"SELECT 'paygate_{table} ' || t.{column} AS subject, "
    f"'refers to a row of paygate_{parent} that does not exist' AS detail "
    f"FROM paygate_{table} t LEFT JOIN paygate_{parent} o ON o.id = t.{column} "
    f"WHERE t.{column} IS NOT NULL AND o.id IS NULL"
    for table, column, parent in FOREIGN_KEYS
)

# Rows that another process takes, or writes, at this moment are passed over.
_TAKING: Final = {
    sql: f"{sql.rstrip()} FOR NO KEY UPDATE OF d SKIP LOCKED" for sql in TO_TAKE.values()
}

OVERRIDES: Final[Mapping[str, str]] = {
    **_TAKING,
    FILE.statements[0]: _GUARDS,
    NUMBERS: _NEXT_NUMBERS,
    MISSING_REFERENCES: _MISSING,
    PLACE: _PLACE,
    # Payments of one tenant are booked at once; the next number must not make them wait.
    BOOK: BOOK.replace(NEXT_NUMBER, "DEFAULT"),
    UNPLACED: _UNPLACED,
}
"""The statements with a separate text for PostgreSQL, by their text for SQLite."""

_REWRITES: Final = (
    (re.compile(r" INDEXED BY \w+"), ""),
    (re.compile(r"\+(?=[a-z_]+\b)"), ""),  # an addition has a space after the plus
    (re.compile(r"\bIS NOT (?!NULL\b|DISTINCT\b|TRUE\b|FALSE\b)"), "IS DISTINCT FROM "),
    (re.compile(r"\bx''"), "CAST('' AS bytea)"),
    (re.compile(r"\browid\b"), "number"),
)

_CALLS: Final[Mapping[str, Callable[[Sequence[str]], str]]] = {
    "max": lambda of: f"{'max' if len(of) == 1 else 'greatest'}({', '.join(of)})",
    "min": lambda of: f"{'min' if len(of) == 1 else 'least'}({', '.join(of)})",
    "group_concat": lambda of: f"string_agg({', '.join(of)}, ',')",
    "json_group_array": lambda of: f"coalesce(json_agg({', '.join(of)}), '[]')",
    "json_array": lambda of: f"json_build_array({', '.join(of)})",
    "json_valid": lambda of: f"(paygate_json({', '.join(of)}) IS NOT NULL)",
    "json_extract": lambda of: f"(paygate_json({of[0]}) ->> {of[1].replace('$.', '')})",
}

# A colon in an SQL string or comment does not begin a parameter.
_PARAMETER: Final = re.compile(r"('[^']*'|--[^\n]*)|:(\w+)")


@cache
def compiled(sql: str) -> bytes:
    """Return the text of a statement for psycopg."""
    text = OVERRIDES.get(sql, sql)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    for name, write in _CALLS.items():
        text = _rewrite_calls(text, name, write)
    return _PARAMETER.sub(_marked, text.replace("%", "%%")).encode()


_MARK: Final = re.compile(rb"%\((\w+)\)s|%%")


@cache
def numbered(sql: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Return a statement of psycopg with numbered parameters, and their names in order."""
    names: dict[bytes, int] = {}

    def number(mark: re.Match[bytes]) -> bytes:
        if mark[1] is None:
            return b"%"
        return b"$%d" % names.setdefault(mark[1], len(names) + 1)

    return _MARK.sub(number, sql), tuple(name.decode() for name in names)


def _marked(token: re.Match[str]) -> str:
    return token[1] or f"%({token[2]})s"


def _rewrite_calls(sql: str, name: str, write: Callable[[Sequence[str]], str]) -> str:
    """Replace each call of function *name* with the result of *write*, inner calls first."""
    for found in reversed(list(re.finditer(rf"\b{name}\(", sql))):
        arguments, end = _arguments(sql, found.end())
        sql = f"{sql[: found.start()]}{write(arguments)}{sql[end:]}"
    return sql


def _arguments(sql: str, start: int) -> tuple[list[str], int]:
    """Return the arguments of a call, the first of which begins at *start*, and its end."""
    depth, begin, quoted = 0, start, False
    arguments: list[str] = []
    for position in range(start, len(sql)):
        character = sql[position]
        if character == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif character == "(":
            depth += 1
        elif character in ",)" and depth == 0:
            arguments.append(sql[begin:position].strip())
            begin = position + 1
            if character == ")":
                return arguments, begin
        elif character == ")":
            depth -= 1
    raise AssertionError(f"a parenthesis is not closed: {sql}")
