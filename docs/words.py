"""Find words to avoid in code, messages and documents.

The list is `words.toml`, next to pyproject.toml: a pattern, and what to write instead.
In Python files it reads docstrings, comments and other strings, in documents everything
except code and generated tables, which are read in the code. Run it as ``python docs/words.py
[PATH …]``; it exits with status 1 if it finds something.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[1]
LIST = ROOT / "words.toml"
READ = ("src", "docs", "examples", "benchmarks", "README.md", "CONTRIBUTING.md", "CHANGELOG.md")
_CODE = re.compile(r"``[^`]+``|`[^`\n]+`|^```.*?^```|^:::\{.*?$", re.DOTALL | re.MULTILINE)
_TABLE = re.compile(r"^<!-- table.*?^<!-- end of table -->", re.DOTALL | re.MULTILINE)


class Word(NamedTuple):
    """A pattern to avoid, and what to write instead."""

    pattern: re.Pattern[str]
    instead: str
    in_docstring: bool


class Text(NamedTuple):
    """A text, its first line, and whether it is a docstring."""

    line: int
    text: str
    docstring: bool = False


class Found(NamedTuple):
    """The position of a word, and what to write instead."""

    path: Path
    line: int
    word: str
    instead: str


def listed(path: Path = LIST) -> list[Word]:
    """Return the words of the list."""
    return [
        Word(re.compile(entry["not"]), entry["but"], entry.get("in") == "docstring")
        for entry in tomllib.loads(path.read_text("utf-8"))["word"]
    ]


def pending(path: Path = LIST) -> list[Path]:
    """Return the files and folders that are not checked yet."""
    return [ROOT / name for name in tomllib.loads(path.read_text("utf-8"))["pending"]]


def find(
    paths: Sequence[str], words: Sequence[Word], left_out: Sequence[Path] = ()
) -> Iterator[Found]:
    """Yield the words found in these files and folders of the project."""
    for path in _files(paths):
        if any(path.is_relative_to(each) for each in left_out):
            continue
        texts = _of_python if path.suffix == ".py" else _of_document
        for text in texts(path.read_text("utf-8")):
            yield from _in_text(path, text, words)


def _files(paths: Sequence[str]) -> Iterator[Path]:
    for name in paths:
        path = ROOT / name
        found = [path] if path.is_file() else sorted([*path.rglob("*.py"), *path.rglob("*.md")])
        yield from (each for each in found if "_build" not in each.parts)


def _of_document(source: str) -> Iterator[Text]:
    """Yield the document, with its code and generated tables blanked out."""
    yield Text(1, _prose(_TABLE.sub(_blank, source)))


def _of_python(source: str) -> Iterator[Text]:
    """Yield the comments, docstrings and other strings of a module."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield Text(token.start[0], _prose(token.string))
    tree = ast.parse(source)
    docstrings = {id(each) for each in _docstrings(tree)}
    for node in ast.walk(tree):
        # A string of one word is a name or a value, such as a member of an enum.
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield Text(node.lineno, _prose(node.value), id(node) in docstrings)


def _docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        for first in getattr(node, "body", [])[:1] if _has_docstring(node) else []:
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                yield first.value


def _has_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)


def _prose(text: str) -> str:
    """Return a docstring or comment with its code blanked out."""
    return _CODE.sub(_blank, text)


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def _in_text(path: Path, text: Text, words: Sequence[Word]) -> Iterator[Found]:
    for word in words:
        if word.in_docstring and not text.docstring:
            continue
        for match in word.pattern.finditer(text.text):
            line = text.line + text.text.count("\n", 0, match.start())
            yield Found(path.relative_to(ROOT), line, match[0].strip(), word.instead)


def main(arguments: Sequence[str]) -> int:
    """Print the words found in *arguments*, or in the whole project; return the exit status."""
    left_out = [] if arguments else pending()
    found = sorted(set(find(arguments or READ, listed(), left_out)))
    for each in found:
        print(f"{each.path}:{each.line}: {each.word!r}: write {each.instead}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
