"""A statement with named parameters says the same with positional ones."""

import sqlite3
from contextlib import closing

import pytest

from paygate.ledger.statements import positional


def test_names_become_marks_and_values_come_in_their_order() -> None:
    text, values = positional("UPDATE t SET a = :one, b = :two WHERE c = :one")

    assert text == "UPDATE t SET a = ?, b = ? WHERE c = ?"
    assert values({"two": 2, "one": 1, "other": 3}) == (1, 2, 1)


def test_a_colon_in_a_text_or_comment_begins_no_parameter() -> None:
    sql = "SELECT ':a' || :b || 'it''s :c' -- and :d\n"
    text, values = positional(sql)

    assert text == "SELECT ':a' || ? || 'it''s :c' -- and :d\n"
    with closing(sqlite3.connect(":memory:")) as connection:
        assert connection.execute(text, values({"b": "b"})).fetchone() == (":abit's :c",)


@pytest.mark.parametrize(
    ("sql", "expected"), [("SELECT 1", ()), ("SELECT :a", (7,)), ("SELECT :a, :a", (7, 7))]
)
def test_values_are_a_tuple_however_many_there_are(sql: str, expected: tuple[int, ...]) -> None:
    _, values = positional(sql)

    assert values({"a": 7}) == expected


def test_a_parameter_that_is_not_given_is_named() -> None:
    _, values = positional("SELECT :a, :b")

    with pytest.raises(KeyError, match="b"):
        values({"a": 1})
