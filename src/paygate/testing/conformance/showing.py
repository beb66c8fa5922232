"""Everything that a value shows of itself, for the cases that look for secrets."""

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
    """Tell what *thing* shows: as text, formatted, pickled, and as an error."""
    texts = [repr(thing), str(thing), f"{thing}"]
    if isinstance(thing, BaseException):
        texts += traceback.format_exception(thing)
    try:
        pickled = pickle.dumps(thing)
    except Exception:  # noqa: BLE001  (what does not pickle shows nothing)
        pickled = b""
    texts.append(pickled.decode("latin-1"))
    return "\n".join(texts)


class _Records(logging.Handler):
    """Keeps what is logged, with its arguments."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.said += [record.getMessage(), repr(record.__dict__)]


@contextmanager
def overheard() -> Generator[list[str]]:
    """Listen to all that is logged and printed meanwhile."""
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
