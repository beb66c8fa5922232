"""Run every example in the documents as a test; those of one page share names and a folder.

- A ``python`` block runs. One that begins with the name of a file (``# shop.py``) is saved
  under that name instead, for later blocks.
- An ``output`` block is compared with what the block before it printed.
- A ``console`` block runs the commands after ``$`` and compares what they print; ``...``
  stands for anything.

A page that names ``postgresql:///shop`` finds that database, empty, on a server of the tests'.
"""

import atexit
import doctest
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack, redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from sybil import Example, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser, SkipParser

PRINTED = "__printed__"
FILE = re.compile(r"# (\w+\.(?:py|toml|csv|txt))\n")
BIN = Path(sys.executable).parent


class Elsewhere:
    """A temporary folder for each page, so that the files of its examples are removed."""

    def __init__(self) -> None:
        self._undo = ExitStack()

    def enter(self, _namespace: dict[str, Any]) -> None:
        folder = self._undo.enter_context(tempfile.TemporaryDirectory(prefix="paygate-docs-"))
        self._undo.callback(os.chdir, Path.cwd())
        os.chdir(folder)

    def leave(self, _namespace: dict[str, Any]) -> None:
        self._undo.close()


ON_SERVER = "postgresql:///shop"
VIRTUAL = "pg_virtualenv"


@cache
def server() -> Any:
    """Start a PostgreSQL server for all pages of this process."""
    from tests.support.postgres_server import Server, binaries

    programs = binaries()
    if programs is None:
        return None
    started = Server(programs)
    atexit.register(started.stop)
    return started


class Shop:
    """The database ``shop`` of a page, which the environment lets libpq find."""

    def __init__(self) -> None:
        self.page: str | None = None

    def enter(self, example: Example) -> None:
        """Make the database, if this block is the first of a page that names it."""
        document = example.document
        if self.page == document.path or ON_SERVER not in document.text:
            return
        found = server()
        if found is None:
            pytest.skip("no PostgreSQL server here; PAYGATE_POSTGRES names its programs")
        found.create("shop")
        self.page = document.path
        os.environ.update(PGHOST=str(found.folder), PGUSER="paygate")

    def leave(self, _namespace: dict[str, Any]) -> None:
        """Remove the database at the end of the page."""
        if self.page is not None:
            self.page = None
            server().drop("shop")
            del os.environ["PGHOST"], os.environ["PGUSER"]


shop = Shop()


def save(example: Example) -> bool:
    """Save a block that begins with the name of a file."""
    named = FILE.match(example.parsed)
    if named:
        Path(named[1]).write_text(str(example.parsed), encoding="utf-8")
    return bool(named)


def keep(example: Example) -> None:
    """Save a text that begins with the name of a file; any other is for readers only."""
    save(example)


def run(example: Example) -> None:
    """Run a block and keep what it prints."""
    if save(example):
        return
    shop.enter(example)
    with redirect_stdout(StringIO()) as printed:
        PythonEvaluator()(example)
    example.namespace[PRINTED] = printed.getvalue()


def compare(example: Example) -> str | None:
    """Compare a block with what the block before it printed."""
    return difference(str(example.parsed), example.namespace.get(PRINTED, ""))


def command(example: Example) -> str | None:
    """Run the commands of a transcript and compare what they print."""
    shop.enter(example)
    for part in re.split(r"(?m)^\$ ", str(example.parsed))[1:]:
        line, _, expected = part.partition("\n")
        if line.startswith(VIRTUAL) and shutil.which(VIRTUAL) is None:
            pytest.skip(f"{VIRTUAL} is not installed")
        done = subprocess.run(
            ["/bin/sh", "-c", line],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env={
                "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}",
                "HOME": str(Path.cwd()),
                "LANG": "C.UTF-8",
                "COLUMNS": "100",
                "NO_COLOR": "1",
                **{name: os.environ[name] for name in ("PGHOST", "PGUSER") if shop.page},
            },
        )
        wrong = difference(expected, done.stdout)
        if wrong:
            return f"$ {line}\n{wrong}"
    return None


def difference(expected: str, got: str) -> str | None:
    """Return how *got* differs from *expected*; spaces at the ends of lines do not count."""
    wanted, found = (
        "".join(f"{line.rstrip()}\n" for line in text.strip().splitlines())
        for text in (expected, got)
    )
    checker, flags = doctest.OutputChecker(), doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    if checker.check_output(wanted, found, flags):
        return None
    return checker.output_difference(doctest.Example("", wanted), found, flags)


def leave(namespace: dict[str, Any]) -> None:
    """End a page: remove its folder, and its database."""
    elsewhere.leave(namespace)
    shop.leave(namespace)


python = PythonCodeBlockParser()
python.codeblock_parser = CodeBlockParser("python", run)
elsewhere = Elsewhere()

pytest_collect_file = Sybil(
    parsers=[
        python,
        CodeBlockParser("output", compare),
        CodeBlockParser("console", command),
        CodeBlockParser("toml", lambda example: None if save(example) else "name the file"),
        CodeBlockParser("text", keep),
        SkipParser(),
    ],
    patterns=["*.md"],
    excludes=["CONTRIBUTING.md"],
    setup=elsewhere.enter,
    teardown=leave,
).pytest()
