"""A rich console that shows foreign text but does not let it control the terminal.

It is plain, without colors and other styles, in a pipe, on a terminal that has none, and if the
user does not want them. It breaks no line: what is folded is folded before it is printed.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.segment import Segment
from typing_extensions import override

from paygate.cli.width import WIDTH_USUAL, is_zero
from paygate.printing import printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import ConsoleOptions, RenderableType


class EscapingConsole(Console):
    """A console that escapes everything it shows, in one place, at the output."""

    def __init__(self, *, stderr: bool = False) -> None:
        stream = sys.stderr if stderr else sys.stdout
        terminal = stream.isatty()
        super().__init__(
            stderr=stderr,
            # rich would fit everything into no columns, and write nothing.
            width=WIDTH_USUAL if is_zero() else None,
            highlight=False,
            markup=False,
            force_terminal=terminal,
            color_system="auto" if terminal and _wants_color() else None,
        )

    @override
    def print(self, *objects: Any, **options: Any) -> None:
        """Print *objects*; a line that is too long is left to the terminal."""
        options.setdefault("soft_wrap", True)
        super().print(*objects, **options)

    @override
    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render, with the control characters of foreign text as readable escapes."""
        for segment in super().render(renderable, options):
            text = segment.text
            if segment.control or text.isprintable():
                yield segment
            else:
                yield Segment(printable_lines(text), segment.style)


def _wants_color() -> bool:
    """Return whether the user's environment allows colors (see no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") not in ("dumb", "unknown")
