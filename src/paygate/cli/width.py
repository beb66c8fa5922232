"""How wide the terminal is."""

from __future__ import annotations

import os
import sys
from typing import Final

WIDTH_USUAL: Final = 80
"""The width of a terminal that does not report its own."""


def room(*, stderr: bool = False) -> int | None:
    """Return how many columns there are; None if there is no limit, as in a pipe."""
    chosen = os.environ.get("COLUMNS", "")
    if chosen.isdecimal() and int(chosen):
        return int(chosen)
    stream = sys.stderr if stderr else sys.stdout
    try:
        # A terminal that does not know its size reports zero columns.
        return os.get_terminal_size(stream.fileno()).columns or WIDTH_USUAL
    except (OSError, ValueError):  # no terminal, or no file at all
        return None


def is_zero() -> bool:
    """Return whether the user's environment sets a width of zero."""
    columns = os.environ.get("COLUMNS", "")
    return columns.isdecimal() and not int(columns)
