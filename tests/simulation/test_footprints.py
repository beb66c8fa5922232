"""Footprints: a check is asked again wherever something that it reads was written."""

from __future__ import annotations

from paygate.ledger.book import RULES
from paygate.testing.simulation.footprints import reads, writes


def test_a_statement_writes_the_columns_it_sets_or_whole_rows() -> None:
    assert writes("UPDATE paygate_item SET claimed_minor = :claimed WHERE id = :id") == {
        "paygate_item.claimed_minor"
    }
    assert writes("DELETE FROM paygate_attempt_request WHERE attempt = :id") == {
        "paygate_attempt_request"
    }
    assert writes(
        "INSERT INTO paygate_meta (name, value) VALUES ('a', 'b') "
        "ON CONFLICT (name) DO UPDATE SET value = 'b'"
    ) == {"paygate_meta", "paygate_meta.value"}
    assert writes("SELECT * FROM paygate_item") == writes("BEGIN IMMEDIATE") == frozenset()


def test_a_statement_reads_the_columns_of_its_conditions_too() -> None:
    found = reads("SELECT id FROM paygate_item WHERE claimed_minor > (SELECT 1 FROM paygate_hold)")

    assert found >= {"paygate_item", "paygate_item.id", "paygate_item.claimed_minor"}
    assert "paygate_hold" in found
    assert "paygate_item.status" not in found


def test_every_rule_of_the_books_is_asked_when_rows_come_that_it_reads() -> None:
    unasked = [
        rule.name
        for rule in RULES
        for sql in rule.statements
        if not any("." in name for name in reads(sql))
    ]

    assert unasked == []
