"""Results of schedules, as plain values that can be passed between processes."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """A rule that was violated, by its name in the semantics, and the detail that showed it."""

    rule: str
    detail: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result of the schedule of *seed*.

    `steps` is the number of steps that flows took, `digest` is the digest of the trace, and
    `covered` counts the actions, faults and traits that the schedule exercised. `events` is
    the trace itself, which is kept if a rule was violated.
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
        """Whether every rule held."""
        return not self.violations
