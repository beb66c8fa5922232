"""One module has all that the author of a driver needs, and what we show authors uses it."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from paygate import dialogue, driver, errors, gateway
from paygate.domain import chargeback, customer, method, outcome

ROOT = Path(__file__).parents[1]

OF_THE_ENGINE = {
    # The core's own conclusions, and what it does with an action's secret.
    "Answer",
    "Moved",
    "Unsent",
    "lacks_secret",
    "secret_of",
    "with_secret",
    # How the core plays a dialogue, and whether it takes the driver at all.
    "NOTED",
    "T",
    "deferred",
    "foreign_version",
}

SHOWN_TO_AUTHORS = [
    *(ROOT / "examples" / "new_driver").rglob("*.py"),
    *(ROOT / "src/paygate/cli/new_driver/template").glob("*.tmpl"),
    ROOT / "docs/tutorial/first-driver.md",
    ROOT / "docs/explanation/dialogues.md",
    ROOT / "docs/how-to/record-cassettes.md",
]

IMPORTED = re.compile(r"^\s*(?:from|import) (paygate[\w.]*)", re.MULTILINE)


def defined(source: str) -> Iterator[str]:
    for node in ast.parse(source).body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield name
            case _:
                pass


@pytest.mark.parametrize("module", [dialogue, gateway, outcome], ids=lambda each: each.__name__)
def test_every_name_of_the_protocol_is_there(module: ModuleType) -> None:
    names = {name for name in defined(inspect.getsource(module)) if not name.startswith("_")}

    assert names - OF_THE_ENGINE <= set(driver.__all__)
    assert not OF_THE_ENGINE & set(driver.__all__)


def test_what_questions_and_outcomes_are_made_of_is_there() -> None:
    parts = {chargeback.Dispute, customer.Customer, customer.PayerField, method.StoredMethod}

    assert {part.__name__ for part in parts} <= set(driver.__all__)


def test_the_errors_that_a_driver_raises_are_there() -> None:
    raised = {errors.BadReply, errors.NotAuthentic, errors.Unsupported, errors.NotSent}

    assert {error.__name__ for error in raised} <= set(driver.__all__)


@pytest.mark.parametrize("page", SHOWN_TO_AUTHORS, ids=lambda each: each.name)
def test_authors_are_shown_no_other_module(page: Path) -> None:
    imported = set(IMPORTED.findall(page.read_text("utf-8")))

    inside = {
        name
        for name in imported
        if name.startswith("paygate.")
        and not name.startswith(("paygate.driver", "paygate.testing"))
    }
    assert not inside
