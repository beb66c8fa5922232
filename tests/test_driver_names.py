"""One module has all that the author of a driver needs, and what we show authors uses it."""

import ast
import inspect
import itertools
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import ModuleType

import pytest

from paygate import dialogue, driver, errors, gateway
from paygate.domain import action, chargeback, customer, method, movement, outcome
from paygate.testing import conformance
from tests.support import reach

ROOT = Path(__file__).parents[1]

OF_THE_ENGINE = {
    # The core's own conclusions, and what it does with an action's secret.
    "Answer",
    "Moved",
    "Unsent",
    "lacks_secret",
    "secret_of",
    "with_secret",
    # At which price money is counted.
    "Valuation",
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

AUTHORS_DOORS = ("paygate.driver", "paygate.testing")


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


@pytest.mark.parametrize(
    "module", [dialogue, gateway, action, movement, outcome], ids=lambda each: each.__name__
)
def test_every_name_of_the_protocol_is_there(module: ModuleType) -> None:
    names = {name for name in defined(inspect.getsource(module)) if not name.startswith("_")}

    assert names - OF_THE_ENGINE <= set(driver.__all__)
    assert not OF_THE_ENGINE & set(driver.__all__)


PROTOCOLS = [
    each
    for each in vars(gateway).values()
    if reach.is_protocol(each) and each.__module__ == gateway.__name__
]


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda each: each.__name__)
def test_every_class_that_a_protocol_speaks_of_is_there(protocol: type) -> None:
    met = {each.__name__ for each in reach.classes_in(protocol, gateway.__name__)}

    assert protocol.__name__ in met
    assert met - OF_THE_ENGINE <= set(driver.__all__)


def test_the_version_of_the_protocol_is_there() -> None:
    assert driver.PROTOCOL_VERSION == gateway.PROTOCOL_VERSION


def test_what_questions_and_outcomes_are_made_of_is_there() -> None:
    parts = {chargeback.Dispute, customer.Customer, customer.PayerField, method.StoredMethod}

    assert {part.__name__ for part in parts} <= set(driver.__all__)


def test_the_errors_that_a_driver_raises_are_there() -> None:
    raised = {errors.BadResponse, errors.NotAuthentic, errors.Unsupported, errors.NotSent}

    assert {error.__name__ for error in raised} <= set(driver.__all__)


@pytest.mark.parametrize("page", SHOWN_TO_AUTHORS, ids=lambda each: each.name)
def test_authors_are_shown_no_other_module(page: Path) -> None:
    inside = {name for name in reach.imported(page) if name.startswith("paygate.")}

    assert not {name for name in inside if not name.startswith(AUTHORS_DOORS)}


# --- What an author chooses by is documented ----------------------------------------------


def member_docs(enum: type[Enum]) -> set[str]:
    """Tell which members of *enum* have a docstring below them."""
    [body] = ast.parse(inspect.getsource(enum)).body
    assert isinstance(body, ast.ClassDef)
    documented: set[str] = set()
    for name, text in itertools.pairwise(body.body):
        match name, text:
            case ast.Assign(targets=[ast.Name(id=member)]), ast.Expr(value=ast.Constant()):
                documented.add(member)
            case _:
                pass
    return documented


def exported(kind: type) -> list[type]:
    found = [getattr(driver, name) for name in driver.__all__]
    return [each for each in found if inspect.isclass(each) and issubclass(each, kind)]


@pytest.mark.parametrize("enum", exported(Enum), ids=lambda each: each.__name__)
def test_each_member_of_an_enum_says_what_it_means(enum: type[Enum]) -> None:
    assert set(enum.__members__) == member_docs(enum)


@pytest.mark.parametrize("thing", exported(object), ids=lambda each: each.__name__)
def test_every_class_of_an_author_says_what_it_is(thing: type) -> None:
    said = vars(thing).get("__doc__")

    assert said, f"{thing.__name__} has no docstring"
    assert not said.startswith(f"{thing.__name__}("), "it has only the one that dataclass made"


@pytest.mark.parametrize("cases", conformance.CLASSES, ids=lambda each: each.__name__)
def test_the_reference_shows_the_facts_of_each_transcript(cases: type) -> None:
    page = (ROOT / "docs/reference/conformance.md").read_text("utf-8")

    assert f"| `{cases.__name__}` | The cases " in page
    assert inspect.getdoc(cases)
