"""A failing case sends its reader to a page that is there."""

from pathlib import Path

import pytest

from paygate.testing.conformance import explain

DOCS = Path(__file__).parents[3] / "docs"
PAGES = [explain.TRANSCRIPTS, explain.PROTOCOL, explain.KIT, explain.UNKNOWN]
PAGES += [explain.DIALOGUES, explain.CALLBACKS, explain.CASSETTES]


@pytest.mark.parametrize("page", PAGES)
def test_the_page_to_read_is_there(page: str) -> None:
    assert (DOCS / f"{page}.md").is_file()


def test_a_failure_says_what_was_expected_and_why_it_matters() -> None:
    with pytest.raises(AssertionError) as caught:
        explain.require(False, expected="money", got=None, why="it is owed")  # noqa: FBT003

    assert str(caught.value).splitlines() == [
        "",
        "expected:       money",
        "got:            None",
        "why it matters: it is owed",
        "read:           docs/reference/conformance.md",
    ]
