"""The page about the architecture shows the house as it is."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
PLACE = re.compile(r"`((?:cashier|service|domain|ledger|transport)/[a-z_/.]*|[a-z]+\.py)`")


def test_the_picture_is_of_the_house_as_the_contract_has_it() -> None:
    house = runpy.run_path(str(ROOT / "docs" / "house.py"))

    assert house["PICTURE"].read_text(encoding="utf-8") == house["drawn"](), (
        "run python docs/house.py"
    )


def test_what_the_page_names_is_there() -> None:
    named = PLACE.findall(PAGE)
    package = ROOT / "src" / "paygate"

    missing = [
        each
        for each in named
        if not (package / each).exists() and not (package / f"{each}.py").exists()
    ]

    assert len(named) > 20
    assert missing == []
