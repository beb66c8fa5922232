"""The list of words that are not written is looked for in prose, and in prose only."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parent.parent / "docs"


def _words() -> Any:
    """Load the program that looks for the words; it is not part of the package."""
    spec = importlib.util.spec_from_file_location("words", DOCS / "words.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


WORDS = _words()
MODULE = '''"""A module for ever."""


def status() -> str:
    """Tell how it stands."""
    told = "for_ever"  # kept for ever
    return f"{told} for ever"
'''
PAGE = """# A page

Kept for ever.

```python
told = "for ever"
```

`told` is a name, and so is ``for ever``.

<!-- table: verbs -->

| `told` | Kept for ever. |

<!-- end of table -->

It is told.
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WORDS, "ROOT", tmp_path)


def _found(tmp_path: Path, name: str, text: str) -> list[tuple[int, str]]:
    (tmp_path / name).write_text(text, "utf-8")
    return sorted((each.line, each.word) for each in WORDS.find([name], WORDS.listed()))


def test_docstrings_comments_and_messages_are_read(tmp_path: Path) -> None:
    found = _found(tmp_path, "module.py", MODULE)

    assert found == [(1, "for ever"), (5, "Tell"), (6, "for ever"), (7, "for ever")]


def test_a_string_of_one_word_is_a_name_and_is_not_read(tmp_path: Path) -> None:
    assert _found(tmp_path, "module.py", 'TOLD = "told"\n') == []
    assert _found(tmp_path, "module.py", 'TEXT = "told twice"\n') == [(1, "told")]


def test_code_and_generated_tables_in_a_page_are_not_read(tmp_path: Path) -> None:
    found = _found(tmp_path, "page.md", PAGE)

    assert found == [(3, "for ever"), (17, "told")]


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("It is empty where there is no card.", ["where there"]),
        ("Return the id, None where it ended.", ["where it"]),
    ],
)
def test_where_for_a_condition_is_found(tmp_path: Path, sentence: str, words: list[str]) -> None:
    assert [word for _, word in _found(tmp_path, "page.md", sentence)] == words


@pytest.mark.parametrize("sentence", ["Return where the books are.", "From where it was left."])
def test_where_for_a_place_is_not(tmp_path: Path, sentence: str) -> None:
    assert _found(tmp_path, "page.md", sentence) == []


def test_each_word_says_what_to_write_instead() -> None:
    assert [word for word in WORDS.listed() if not word.instead] == []
