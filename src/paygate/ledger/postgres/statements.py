"""The statements of the ledger in the words of PostgreSQL.

Each statement is written once, for both databases, with parameters such as ``:tenant``. Here its
text is made into what psycopg takes, and what only SQLite says is said as PostgreSQL does:

- ``INDEXED BY`` and the sign that keeps SQLite's planner from an index (``+p.tenant``) are left
  out: PostgreSQL has no hints.
- ``a IS NOT b`` compares values there, and ``IS DISTINCT FROM`` does here.
- ``max`` and ``min`` of several values, JSON and empty bytes have other names.

Three statements ask a database about itself and have a text of their own for each.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from paygate.ledger.identities import FILE, MISSING_REFERENCES, NUMBERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# A constraint that was switched off, or an index whose making was interrupted, guards nothing.
_GUARDS: Final = """
SELECT c.relname AS subject, 'the rule ' || k.conname || ' was never checked' AS detail
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE NOT k.convalidated AND c.oid = ANY (
  SELECT oid FROM pg_class WHERE relname LIKE 'paygate_%' AND pg_table_is_visible(oid))
UNION ALL
SELECT c.relname, 'the trigger ' || t.tgname || ' is switched off'
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE t.tgenabled <> 'O' AND c.relname LIKE 'paygate_%' AND pg_table_is_visible(c.oid)
UNION ALL
SELECT c.relname, 'the index ' || i.relname || ' is not valid; make it again with REINDEX'
FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
WHERE NOT x.indisvalid AND c.relname LIKE 'paygate_%' AND pg_table_is_visible(c.oid)
"""

# A number that a rollback gave up stays a gap, so that numbers count nothing here. What matters is
# that the next one is free: after a table was restored without its sequence it may not be.
_NEXT_NUMBERS: Final = " UNION ALL ".join(
    f"SELECT 'paygate_{table}' AS subject, 'rows are numbered to ' || max(t.{column}) "
    f"|| ', and the next one gets a number that is taken' AS detail FROM paygate_{table} t "
    f"HAVING max(t.{column}) > coalesce("
    f"pg_sequence_last_value(pg_get_serial_sequence('paygate_{table}', '{column}')), 0)"
    for table, column in (("posting", "id"), ("inbox", "id"), ("outbox", "position"))
)

FOREIGN_KEYS: Final = (
    ("review", "payment", "payment"),
    ("attempt", "payment", "payment"),
    ("attempt_request", "attempt", "attempt"),
    ("attempt_try", "attempt", "attempt"),
    ("claim", "payment", "payment"),
    ("claim", "item", "item"),
    ("claim", "credit", "credit"),
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
)
"""The references of the schema: table, column, and the table whose `id` it holds."""

_MISSING: Final = " UNION ALL ".join(
    f"SELECT 'paygate_{table} ' || t.{column} AS subject, "
    f"'refers to a row of paygate_{parent} that is not there' AS detail "
    f"FROM paygate_{table} t LEFT JOIN paygate_{parent} o ON o.id = t.{column} "
    f"WHERE t.{column} IS NOT NULL AND o.id IS NULL"
    for table, column, parent in FOREIGN_KEYS
)

OVERRIDES: Final[Mapping[str, str]] = {
    FILE.statements[0]: _GUARDS,
    NUMBERS: _NEXT_NUMBERS,
    MISSING_REFERENCES: _MISSING,
}
"""The statements that are others on PostgreSQL, by what they are on SQLite."""

_WORDS: Final = (
    (re.compile(r" INDEXED BY \w+"), ""),
    (re.compile(r"\+(?=[a-z_]+\b)"), ""),  # a sum has a space there
    (re.compile(r"\bIS NOT (?!NULL\b|DISTINCT\b|TRUE\b|FALSE\b)"), "IS DISTINCT FROM "),
    (re.compile(r"\bx''"), "CAST('' AS bytea)"),
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

# A colon in a text of SQL or in a comment begins no parameter.
_PARAMETER: Final = re.compile(r"('[^']*'|--[^\n]*)|:(\w+)")


@cache
def compiled(sql: str) -> bytes:
    """Return the text of a statement of the ledger that psycopg executes."""
    text = OVERRIDES.get(sql, sql)
    for pattern, word in _WORDS:
        text = pattern.sub(word, text)
    for name, write in _CALLS.items():
        text = _call_otherwise(text, name, write)
    return _PARAMETER.sub(_marked, text.replace("%", "%%")).encode()


def _marked(token: re.Match[str]) -> str:
    return token[1] or f"%({token[2]})s"


def _call_otherwise(sql: str, name: str, write: Callable[[Sequence[str]], str]) -> str:
    """Replace each call of a function, the inner ones first, by what *write* makes of it."""
    for found in reversed(list(re.finditer(rf"\b{name}\(", sql))):
        arguments, end = _arguments(sql, found.end())
        sql = f"{sql[: found.start()]}{write(arguments)}{sql[end:]}"
    return sql


def _arguments(sql: str, start: int) -> tuple[list[str], int]:
    """Return the arguments of the call whose first one begins at *start*, and where it ends."""
    depth, begin, quoted = 0, start, False
    arguments: list[str] = []
    for place in range(start, len(sql)):
        sign = sql[place]
        if sign == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif sign == "(":
            depth += 1
        elif sign in ",)" and depth == 0:
            arguments.append(sql[begin:place].strip())
            begin = place + 1
            if sign == ")":
                return arguments, begin
        elif sign == ")":
            depth -= 1
    raise AssertionError(f"a parenthesis is not closed: {sql}")
