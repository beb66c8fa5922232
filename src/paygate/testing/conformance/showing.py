"""Everything that a value reveals about itself, for the cases that search for secrets."""

from __future__ import annotations

import logging
import pickle
import traceback
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Generator


def shown(thing: object) -> str:
    """Return what *thing* reveals: its repr and str, formatted, pickled, and as a traceback."""
    texts = [repr(thing), str(thing), f"{thing}"]
    if isinstance(thing, BaseException):
        texts += traceback.format_exception(thing)
    try:
        pickled = pickle.dumps(thing)
    except Exception:  # noqa: BLE001  (what cannot be pickled reveals nothing)
        pickled = b""
    texts.append(pickled.decode("latin-1"))
    return "\n".join(texts)


class _Records(logging.Handler):
    """Keep the log records, with their arguments."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.said += [record.getMessage(), repr(record.__dict__)]


@contextmanager
def overheard() -> Generator[list[str]]:
    """Capture everything that is logged and printed in the meantime."""
    said: list[str] = []
    handler, root, printed = _Records(), logging.getLogger(), StringIO()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with redirect_stdout(printed), redirect_stderr(printed):
            yield said
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        said += [*handler.said, printed.getvalue()]
