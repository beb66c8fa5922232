"""The drawings in the documents are of the states and flows as they are now."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parent.parent / "docs"
DRAWINGS: dict[str, Any] = runpy.run_path(str(DOCS / "drawings.py"))
GRAPHS: dict[str, str] = DRAWINGS["graphs"]()
PAGES = "".join(path.read_text("utf-8") for path in DOCS.rglob("*.md"))


@pytest.mark.parametrize("name", GRAPHS)
def test_a_picture_is_drawn_from_its_graph(name: str) -> None:
    picture = (DOCS / "_static" / f"{name}.svg").read_text("utf-8")

    assert DRAWINGS["drawn_from"](picture) == DRAWINGS["digest_of"](GRAPHS[name]), (
        "run python docs/drawings.py"
    )


@pytest.mark.parametrize("name", GRAPHS)
def test_a_picture_stands_in_a_page(name: str) -> None:
    assert f"_static/{name}.svg)" in PAGES


@pytest.mark.parametrize("name", GRAPHS)
def test_a_picture_fits_into_a_page(name: str) -> None:
    picture = (DOCS / "_static" / f"{name}.svg").read_text("utf-8")

    width = re.search(r'<svg width="(\d+)pt"', picture)

    assert width is not None
    assert int(width[1]) <= 570, "a page would show it smaller, and its letters too"


def test_money_can_come_after_the_end_and_never_goes_back() -> None:
    graph = GRAPHS["payment-states"]

    assert "ended -> succeeded" in graph
    assert "succeeded ->" not in graph
