"""The reference lists each public name once, under its subject, with a sentence about it."""

from __future__ import annotations

import re
import runpy
from collections import Counter
from pathlib import Path

import pytest

from paygate import Cashier
from paygate.cashier.verbs import each_verb

DOCS = Path(__file__).parent.parent / "docs"
SUBJECTS = runpy.run_path(str(DOCS / "subjects.py"))
DOORS = SUBJECTS["DOORS"]
PUBLIC = {name for door in DOORS for name in door.__all__}

PAGES = ("api", "gateway", "driver-kit", "fake", "errors")
ROW = re.compile(r"^\| \u2003*`(\w+)(?:\([^`]*\))?` \| (.*?) \|", re.MULTILINE)


def rows() -> list[tuple[str, str]]:
    """Return the first two cells of each row in which a name has a line of its own."""
    return [
        row for page in PAGES for row in ROW.findall((DOCS / f"reference/{page}.md").read_text())
    ]


def test_each_public_name_stands_in_one_row_of_the_reference() -> None:
    counted = Counter(name for name, _ in rows())

    assert {name: counted[name] for name in PUBLIC if counted[name] != 1} == {}


def test_each_name_belongs_to_one_subject_or_is_an_error() -> None:
    placed = Counter(name for _, name in SUBJECTS["placed"]())
    errors = {n for door in DOORS for n in door.__all__ if SUBJECTS["is_error"](door, n)}

    assert placed == Counter(PUBLIC - errors), "place it in docs/subjects.toml"


def test_each_verb_belongs_to_one_subject() -> None:
    verbs = Counter(
        verb for subject in SUBJECTS["PAGES"]["host"].subjects for verb in subject.verbs.split()
    )

    assert set(each_verb(Cashier)) <= verbs.keys()
    assert set(verbs.values()) == {1}


@pytest.mark.parametrize("page", SUBJECTS["PAGES"])
def test_each_subject_has_a_sentence_and_each_name_a_line(page: str) -> None:
    subjects = SUBJECTS["PAGES"][page].subjects

    assert all(subject.about.endswith(".") for subject in subjects)
    told = dict(rows())
    names = [name for each in subjects for name in (*each.names.split(), *each.verbs.split())]
    assert [name for name in names if not told[name]] == []
