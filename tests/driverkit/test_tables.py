"""Tables that are written by what the words in them mean."""

import pytest

from paygate.driver import by_word


def test_each_word_has_its_meaning() -> None:
    assert by_word(
        {
            1: "a b",
            2: """
        c
        d
    """,
        }
    ) == {"a": 1, "b": 1, "c": 2, "d": 2}


def test_a_word_has_one_meaning() -> None:
    assert by_word({1: "a a"}) == {"a": 1}
    with pytest.raises(ValueError, match="b means 1 and 2"):
        by_word({1: "a b", 2: "b"})
