"""Every Python example in the documents is a test; those of one page share their names."""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser, SkipParser


class Elsewhere:
    """A folder of its own for each page, so that what its examples write is gone after it."""

    def __init__(self) -> None:
        self._undo = ExitStack()

    def enter(self, _namespace: dict[str, Any]) -> None:
        folder = self._undo.enter_context(tempfile.TemporaryDirectory(prefix="paygate-docs-"))
        self._undo.callback(os.chdir, Path.cwd())
        os.chdir(folder)

    def leave(self, _namespace: dict[str, Any]) -> None:
        self._undo.close()


elsewhere = Elsewhere()

pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["*.md"],
    excludes=["CONTRIBUTING.md"],
    setup=elsewhere.enter,
    teardown=elsewhere.leave,
).pytest()
