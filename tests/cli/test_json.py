"""What programs read of the commands has one shape, and the reference shows all of it."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from paygate.cli.app import load
from paygate.cli.commands import commands
from tests.cli.conftest import Run

EXAMPLES = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "json_examples.py"))


def options_of(command: Any) -> list[str]:
    """Return the names of a command's options in the order of its help, without --help."""
    return [each.opts[0] for each in command.params if each.param_type_name == "option"]


OPTIONS = {name: options_of(load(name, command)) for name, command in commands()}
READ_BY_PROGRAMS = {name for name, options in OPTIONS.items() if "--json" in options}


@pytest.fixture(scope="module")
def written() -> dict[str, str]:
    return {command: out for command, _, out in EXAMPLES["played"]()}


def test_the_reference_has_an_example_of_each_command(written: dict[str, str]) -> None:
    assert written.keys() == READ_BY_PROGRAMS - EXAMPLES["NOT_SHOWN"].keys()
    assert EXAMPLES["NOT_SHOWN"].keys() <= READ_BY_PROGRAMS


WITHOUT_JSON = {
    "demo": "it plays on the screen",
    "fake-processor serve": "the line that it prints is JSON in any case",
    "schema print": "it prints SQL, for programs in any case",
}


def test_each_command_writes_json_or_has_a_reason_why_not() -> None:
    assert OPTIONS.keys() - READ_BY_PROGRAMS == WITHOUT_JSON.keys()


@pytest.mark.parametrize("name", sorted(OPTIONS.keys() - WITHOUT_JSON.keys()))
def test_json_and_then_help_are_the_last_options_of_each_command(run: Run, name: str) -> None:
    lines = run(*name.split(), "--help", COLUMNS="80").out.splitlines()

    assert [" ".join(line.split()) for line in lines[-2:]] == [
        "--json Write JSON, for programs.",
        "-h, --help Show this message and exit.",
    ]


def test_a_list_says_where_its_next_page_begins_if_it_has_pages(written: dict[str, str]) -> None:
    objects = {name: json.loads(out) for name, out in written.items() if name != "receipt export"}

    in_pages = {name for name, value in objects.items() if "next" in value}

    assert in_pages == {name for name in objects if "--after" in OPTIONS[name]}


def test_what_a_command_holds_stands_under_a_noun(written: dict[str, str]) -> None:
    facts = {
        name: set(json.loads(out)) for name, out in written.items() if name != "receipt export"
    }

    # Beside a noun there is at most a verdict, a count, or where the next page begins.
    assert all(keys - {"ok", "next", "rules", "unanswered"} for keys in facts.values())


def test_the_nouns_of_lists_are_those_of_the_vocabulary(written: dict[str, str]) -> None:
    nouns = {
        name: next(iter(json.loads(out)))
        for name, out in written.items()
        if "--after" in OPTIONS[name]
    }

    assert nouns == {
        "callback list": "callbacks",
        "chargeback list": "chargebacks",
        "credit list": "credits",
        "event list": "events",
        "invoice list": "invoices",
        "link list": "links",
        "method changes": "method_changes",
        "method list": "methods",
        "payer-number list": "payer_numbers",
        "reconcile lines": "bank_lines",
        "statement list": "bank_statements",
        "payment list": "payments",
        "prepayment list": "prepayments",
        "receipt list": "receipts",
    }
