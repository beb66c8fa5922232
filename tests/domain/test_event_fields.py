"""The catalogue of events says what every event holds."""

from __future__ import annotations

import importlib.util
import json
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from paygate.domain.event import EVENT_TYPES
from paygate.domain.event_fields import EVENT_FIELDS, Shape, example, problems

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("type_", EVENT_TYPES)
def test_the_example_of_a_type_fits_it(type_: str) -> None:
    assert EVENT_FIELDS[type_], "it is missing in paygate.domain.event_fields"
    assert problems(type_, example(type_)) == []
    assert len({each.name for each in EVENT_FIELDS[type_]}) == len(EVENT_FIELDS[type_])


@pytest.mark.parametrize("type_", EVENT_TYPES)
def test_what_differs_from_the_catalogue_is_named(type_: str) -> None:
    good = example(type_)
    for field in EVENT_FIELDS[type_]:
        without = {name: value for name, value in good.items() if name != field.name}
        assert bool(problems(type_, without)) is field.always
        wrong: object = 7 if field.shape is not Shape.WHOLE else "7"
        assert problems(type_, good | {field.name: wrong})
        assert problems(type_, good | {field.name: True})
    assert problems(type_, good | {"other": 1}) == ["other is not in the catalogue"]


def test_the_shipped_schemas_are_those_of_the_catalogue() -> None:
    name = "code_tables_for_schemas"
    spec = importlib.util.spec_from_file_location(name, DOCS / "code_tables.py")
    assert spec is not None
    assert spec.loader is not None
    tables = importlib.util.module_from_spec(spec)
    sys.modules[name] = tables
    spec.loader.exec_module(tables)

    written = {file.name: text for file, text in tables.schemas().items()}
    folder = files("paygate") / "event_schemas"
    shipped = {file.name: file.read_text("utf-8") for file in folder.iterdir()}

    assert shipped == written, "run python docs/code_tables.py"


def schema_of(type_: str) -> dict[str, Any]:
    text = (files("paygate") / "event_schemas" / f"{type_}.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_public_validator_agrees_with_the_catalogue() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="it is in the group contract")
    for type_ in EVENT_TYPES:
        schema = schema_of(type_)
        validator = jsonschema.Draft202012Validator(schema)
        validator.check_schema(schema)
        whole = {
            "id": "evt_1",
            "position": 1,
            "type": type_,
            "aggregate": "pay_1",
            "seq": 1,
            "schema_version": 1,
            "occurred_at": "2026-01-01T12:00:00+00:00",
            "actor": "host",
            "data": example(type_),
        }
        assert validator.is_valid(whole)
        assert not validator.is_valid(whole | {"type": "other"})
        for field in EVENT_FIELDS[type_]:
            data = {name: value for name, value in example(type_).items() if name != field.name}
            assert validator.is_valid(whole | {"data": data}) is not field.always
            assert not validator.is_valid(whole | {"data": example(type_) | {field.name: True}})
