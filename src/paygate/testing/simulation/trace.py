"""The trace: what happened in a schedule, a line for each thing, and its digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


@dataclass(slots=True)
class Trace:
    """Lines that are the same whenever the same seed is played."""

    lines: list[str] = field(default_factory=list[str])

    def note(self, line: str) -> None:
        """Write down what happened."""
        self.lines.append(line)

    @property
    def digest(self) -> str:
        """The digest of all lines: equal ones mean that the same happened."""
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()
