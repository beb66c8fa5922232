"""Results: what became of a schedule, as plain values that travel between processes."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """A rule that did not hold, by its name in the semantics, and where that showed."""

    rule: str
    detail: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of the schedule of *seed*.

    `steps` counts the steps of flows that were done, `digest` is that of the trace,
    `covered` counts the actions, faults and traits that it exercised. `events` is
    the trace itself, kept where something was violated.
    """

    seed: int
    violations: tuple[BrokenRule, ...]
    steps: int
    digest: str
    commits: int = 0
    covered: tuple[tuple[str, int], ...] = ()
    events: tuple[str, ...] = field(default=(), repr=False)

    @property
    def sound(self) -> bool:
        """Tell whether every rule held."""
        return not self.violations
