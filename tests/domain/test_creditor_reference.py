"""Structured creditor references, against the numbers of the sheet and python-stdnum's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paygate.domain.creditor_reference import (
    creditor_reference,
    looks_like_reference,
    read_reference,
)
from paygate.errors import InvalidValue


def test_references_of_the_sheet(protocols: Path) -> None:
    checks = json.loads((protocols / "bank" / "checks.json").read_text())["rf_reference"]

    assert [read_reference(each) for each in checks["valid"]] == checks["valid"]
    assert {read_reference(each) for each in checks["invalid"]} == {None}


def test_an_invoice_number_has_a_reference_that_can_be_typed_with_spaces_and_in_lower_case() -> (
    None
):
    assert creditor_reference("INV-7010") == "RF44INV7010"
    assert creditor_reference("2026000123") == "RF462026000123"
    assert read_reference("rf44 inv7010") == "RF44INV7010"


def test_one_wrong_character_is_recognized() -> None:
    assert read_reference("RF45INV7010") is None
    assert read_reference("RF44INV7011") is None
    assert looks_like_reference("RF45 INV7010")


@pytest.mark.parametrize("number", ["", "---", "INV-7010-" + "1" * 20, "INV-é"])
def test_a_number_that_has_no_reference(number: str) -> None:
    with pytest.raises(InvalidValue, match="has no creditor reference"):
        creditor_reference(number)
