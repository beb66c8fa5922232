"""What a stand-in for a module does when somebody looks at it."""

import sys
from pathlib import Path
from typing import Any

import pytest

from paygate.later import later


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "shop_for_later"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "prices.py").write_text("VAT = 19\n")
    monkeypatch.syspath_prepend(tmp_path)
    return folder.name


def test_a_module_is_imported_at_the_first_look_and_then_stands_there_itself(package: str) -> None:
    user: dict[str, Any] = {}
    later(user, package, "prices")
    before = f"{package}.prices" in sys.modules

    vat = user["prices"].VAT

    assert (before, vat) == (False, 19)
    assert user["prices"] is sys.modules[f"{package}.prices"]


def test_a_name_that_the_module_does_not_have_is_an_attribute_error(package: str) -> None:
    user: dict[str, Any] = {}
    later(user, package, "prices")

    with pytest.raises(AttributeError, match="discount"):
        _ = user["prices"].discount
