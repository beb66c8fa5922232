"""Tables of a processor's words, written by what they mean to us."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")


def by_word(table: Mapping[T, str]) -> dict[str, T]:
    """Return the meaning of each word: ``{"a": 1, "b": 1, "c": 2}`` for ``{1: "a b", 2: "c"}``.

    A word with two meanings raises `ValueError`.
    """
    meanings: dict[str, T] = {}
    for meaning, words in table.items():
        for word in words.split():
            if meanings.setdefault(word, meaning) != meaning:
                raise ValueError(f"{word} means {meanings[word]} and {meaning}")
    return meanings
