"""The tables in the documents are those of the code."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parent.parent / "docs"


def code_tables() -> Any:
    """Load the program that writes the tables; it is no part of the package."""
    spec = importlib.util.spec_from_file_location("code_tables", DOCS / "code_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


TABLES = code_tables()


@pytest.mark.parametrize("page", TABLES.pages(), ids=lambda page: page.stem)
def test_the_tables_of_a_page_are_those_of_the_code(page: Path) -> None:
    text = page.read_text("utf-8")

    assert text == TABLES.filled(text), "run python docs/code_tables.py"


def test_every_table_stands_in_a_page() -> None:
    placed = {
        name
        for page in TABLES.pages()
        for _, name, *_ in TABLES.PLACE.findall(page.read_text("utf-8"))
    }

    assert placed == {*TABLES.TABLES, *TABLES.TEXTS}
