"""The tables in the documents are those of the code."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
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


REFERENCE = sorted((DOCS / "reference").glob("*.md"))
BLOCK = re.compile(r"^(`{3,}|:{3,}) ?\{.*?^\1$", re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"^\.\. (?:auto(?!module)\w+|py:data):: (\S+)", re.MULTILINE)
MODULE = re.compile(r"^\.\. automodule:: (\S+)", re.MULTILINE)
INCLUDED = re.compile(r"\{(?:literalinclude|include)\} (\S+)")


def members_of(path: str) -> set[str]:
    """Return what a module defines, or exports if it defines nothing itself."""
    module = importlib.import_module(path)
    return set(getattr(module, "__all__", ())) or {
        name
        for name, thing in vars(module).items()
        if getattr(thing, "__module__", "") == path and not name.startswith("_")
        if inspect.isclass(thing) or inspect.isroutine(thing)
    }


@pytest.mark.parametrize("page", REFERENCE, ids=lambda page: page.stem)
def test_a_page_names_in_its_text_what_its_directives_show(page: Path) -> None:
    text = page.read_text("utf-8")
    blocks = "".join(found[0] for found in BLOCK.finditer(text))
    shown = {path.rpartition(".")[2] for path in SHOWN.findall(blocks)}
    shown |= {name for path in MODULE.findall(blocks) for name in members_of(path)}

    plain = BLOCK.sub("", text)
    names = set(re.findall(r"`[\w.]*?(\w+)[`(]", plain))
    assert shown - names == set()
    assert {path for path in INCLUDED.findall(blocks) if f"]({path})" not in plain} == set()
