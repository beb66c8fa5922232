"""A failing case sends its reader to a page that is there."""

from pathlib import Path

import pytest

from paygate.driver import (
    Approved,
    BadResponse,
    Ended,
    Ending,
    Money,
    Movement,
    Request,
    Secret,
    StoredToken,
)
from paygate.testing.conformance import explain

DOCS = Path(__file__).parents[3] / "docs"
PAGES = [explain.TRANSCRIPTS, explain.PROTOCOL, explain.KIT, explain.UNKNOWN]
PAGES += [explain.DIALOGUES, explain.CALLBACKS, explain.CASSETTES]


@pytest.mark.parametrize("page", PAGES)
def test_the_page_to_read_is_there(page: str) -> None:
    assert (DOCS / f"{page}.md").is_file()


def test_a_failure_says_which_line_asks_for_it() -> None:
    with pytest.raises(
        AssertionError, match=r"\nasked by:       charge\.txt, line 4: movement = x\n"
    ):
        explain.fail(expected="x", got="y", why="z", asked="charge.txt, line 4: movement = x")


def test_values_are_shown_without_their_defaults() -> None:
    moved = Movement(movement_id="mv_9", amount=Money("USD", 1999))

    assert explain.brief(Approved(movements=(moved,))) == (
        "Approved(movements=[Movement(movement_id='mv_9', amount=19.99 USD)])"
    )
    assert explain.brief(Ended(how=Ending.EXPIRED)) == "Ended(how=expired)"
    assert explain.brief("no method") == "no method"
    assert explain.brief(BadResponse("what?")) == "BadResponse: what?"


def test_a_value_that_hides_something_goes_on_hiding_it() -> None:
    request = Request(method="POST", url="https://x.example/?key=zx81", step="sale")
    card = StoredToken(Secret("zx81"))

    assert "zx81" not in explain.brief([request, card])


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
