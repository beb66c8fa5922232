"""Interleaved rounds: ours and the floor alternate, so that both run under the same load."""

from __future__ import annotations

import gc
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The target for the ratio of ours to the floor."""

    bound: float
    at_least: bool

    def met_by(self, ratio: float) -> bool:
        return ratio >= self.bound if self.at_least else ratio <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:.2f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One comparison: samples of ours and of its floor, pair by pair."""

    name: str
    floor_name: str
    unit: str
    ours: list[float]
    floor: list[float]
    target: Target | None = None
    notes: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def ratios(self) -> list[float]:
        return [ours / floor for ours, floor in zip(self.ours, self.floor, strict=True)]

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def met(self) -> bool:
        return self.target is None or self.target.met_by(self.ratio)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "floor": self.floor_name,
            "unit": self.unit,
            "ours_median": statistics.median(self.ours),
            "floor_median": statistics.median(self.floor),
            "ratio_median": self.ratio,
            "ratio_lowest": min(self.ratios),
            "ratio_highest": max(self.ratios),
            "target": str(self.target or "none"),
            "met": self.met,
            "rounds": len(self.ratios),
            "notes": self.notes,
        }


def take_turns(rounds: int, *samples: Callable[[], float]) -> list[list[float]]:
    """Call *samples* alternately, after one warm-up round, and collect the results."""
    for sample in samples:
        sample()
    taken: list[list[float]] = [[] for _ in samples]
    for _ in range(rounds):
        for sample, found in zip(samples, taken, strict=True):
            gc.collect()
            found.append(sample())
    return taken
