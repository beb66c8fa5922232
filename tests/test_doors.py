"""A reader of our pages and examples learns only names that stay: there are few doors."""

from pathlib import Path

import pytest

from tests.support import reach

ROOT = Path(__file__).parents[1]

DOORS = ("paygate", "paygate.driver", "paygate.errors", "paygate.testing", "paygate.web")
"""What is public; everything else may move. The last two are doors with their modules."""

OTHERS = {
    # One module a rail or an extra: what it needs must not be imported with `paygate`.
    "paygate.slips": "the extra `slips`, which has a page of its own in the reference",
    "paygate.drivers.bitcoin": "a host that has its own prices builds this driver itself",
    # No verb reaches what one driver can do beside the protocol; a host holds that conversation.
    "paygate.worker": "a host that runs the worker in a process of its own",
    "paygate.integrations.procrastinate": "the extra `procrastinate`, for hosts that use it",
    "paygate.transport": "the way to a processor for a dialogue that no verb holds",
}

SHOWN = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.py")),
    *sorted((ROOT / "src/paygate/cli/new_driver/template").rglob("*.tmpl")),
]


def is_door(module: str) -> bool:
    return module in DOORS or module.startswith(("paygate.testing.", "paygate.web."))


def test_pages_examples_and_the_template_are_found() -> None:
    assert {page.suffix for page in SHOWN} == {".md", ".py", ".tmpl"}
    assert {module for page in SHOWN for module in reach.imported(page)} >= {"paygate", *OTHERS}


@pytest.mark.parametrize("page", SHOWN, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_is_shown_imports_only_from_the_doors(page: Path) -> None:
    other = {module for module in reach.imported(page) if not is_door(module)}

    assert other <= OTHERS.keys()


def test_the_reference_names_the_doors() -> None:
    page = (ROOT / "docs/reference/api.md").read_text("utf-8")

    assert [door for door in (*DOORS, *OTHERS) if f"`{door}`" not in page] == []
