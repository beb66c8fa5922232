"""The trace: what happened in a schedule, line by line, and its digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


@dataclass(slots=True)
class Trace:
    """The lines of a schedule, which are the same each time the same seed is played."""

    lines: list[str] = field(default_factory=list[str])

    def note(self, line: str) -> None:
        """Append a line."""
        self.lines.append(line)

    @property
    def digest(self) -> str:
        """The digest of all lines: equal digests mean equal traces."""
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()
