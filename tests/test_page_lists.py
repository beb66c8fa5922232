"""A reader finds every page from the list at the front of its folder."""

from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
LISTS = sorted(DOCS.glob("*/index.md"))


@pytest.mark.parametrize("front", LISTS, ids=lambda front: front.parent.name)
def test_every_page_of_a_folder_is_in_its_list(front: Path) -> None:
    listed = front.read_text("utf-8")

    pages = {page.name for page in front.parent.glob("*.md")} - {front.name}

    assert {page for page in pages if f"]({page})" not in listed} == set()
