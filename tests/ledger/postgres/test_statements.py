"""Every statement of the ledger is one of PostgreSQL, and the few that differ are known."""

import re

import psycopg
import pytest

from paygate.ledger.postgres.statements import FOREIGN_KEYS, OVERRIDES, compiled
from paygate.ledger.postgres.store import PostgresStore
from tests.ledger.test_statements import STATEMENTS


def test_the_server_prepares_every_statement(url: str) -> None:
    PostgresStore(url).close()
    refused: dict[str, str] = {}

    with psycopg.connect(url, autocommit=True) as connection:
        for name, sql in STATEMENTS.items():
            answer = connection.pgconn.prepare(b"", numbered(compiled(sql)))
            if answer.error_message:
                refused[name] = answer.error_message.decode()

    assert refused == {}
    assert len(STATEMENTS) > 600


def test_no_parameter_is_a_condition_by_itself() -> None:
    """A flag is a number, which PostgreSQL does not take for true; SQLite does."""
    alone = re.compile(
        r"(?:\b(?:CASE WHEN|AND|OR|NOT|WHERE)|\() :\w+\s*(?:\b(?:THEN|AND|OR)\b|\)|\Z)"
    )

    assert [name for name, sql in STATEMENTS.items() if alone.search(sql)] == []
    assert alone.search("CASE WHEN :at_end THEN 1 ELSE 0 END")
    assert not alone.search("WHERE a = :a AND b = :b")


def numbered(sql: bytes) -> bytes:
    """Return a statement of psycopg with its parameters by number."""
    names = list(dict.fromkeys(re.findall(rb"%\((\w+)\)s", sql)))
    for number, name in enumerate(names, start=1):
        sql = sql.replace(b"%%(%s)s" % name, b"$%d" % number)
    return sql.replace(b"%%", b"%")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT a FROM t INDEXED BY i WHERE +t.x = :x", "SELECT a FROM t WHERE t.x = %(x)s"),
        ("SELECT a + b FROM t", "SELECT a + b FROM t"),
        ("a IS NOT b AND c IS NOT NULL", "a IS DISTINCT FROM b AND c IS NOT NULL"),
        ("max(0, min(a, f(b, c)), d)", "greatest(0, least(a, f(b, c)), d)"),
        ("max(a) > min(b)", "max(a) > min(b)"),
        ("max(a, ',)')", "greatest(a, ',)')"),
        ("group_concat(DISTINCT c.payment)", "string_agg(DISTINCT c.payment, ',')"),
        (
            "json_group_array(json_array(a, b))",
            "coalesce(json_agg(json_build_array(a, b)), '[]')",
        ),
        ("json_extract(action, '$.token')", "(paygate_json(action) ->> 'token')"),
        ("token <> x''", "token <> CAST('' AS bytea)"),
        ("key LIKE '%-late' OR a = 'void:' || b", "key LIKE '%%-late' OR a = 'void:' || b"),
    ],
)
def test_what_only_sqlite_says_is_said_otherwise(text: str, expected: str) -> None:
    assert compiled(text).decode() == expected


def test_each_statement_with_a_text_of_its_own_is_still_there() -> None:
    assert set(OVERRIDES) <= set(STATEMENTS.values())


def test_each_reference_of_the_schema_is_checked(url: str) -> None:
    PostgresStore(url).close()
    with psycopg.connect(url) as connection:
        found = connection.execute("""
            SELECT t.relname, a.attname, p.relname FROM pg_constraint k
            JOIN pg_class t ON t.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid
            JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
            WHERE k.contype = 'f'
        """).fetchall()

    expected = {(f"paygate_{t}", column, f"paygate_{p}") for t, column, p in FOREIGN_KEYS}
    assert set(found) == expected
