"""Faults: what can go wrong, and which of it a seed has turned on, and how strongly.

In the manner of swarm testing each seed draws a handful of faults instead of a
little of everything: some bugs show only where another fault is absent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.testing.simulation.dice import Dice


class PlannedFault(StrEnum):
    """One thing that goes wrong."""

    # The way to the processor and back.
    CONNECT = "connect_failure"
    REQUEST_LOST = "request_lost"
    REQUEST_LATE = "request_late"
    ANSWER_LOST = "answer_lost"
    ANSWER_SLOW = "answer_slow"
    GARBAGE = "garbage"
    TRUNCATED = "truncated"
    TOO_MANY = "status_429"
    ERROR_BEFORE = "status_500_not_done"
    ERROR_AFTER = "status_500_done"
    GATEWAY_BEFORE = "status_502_not_done"
    GATEWAY_AFTER = "status_502_done"
    # What the processor tells by itself.
    DUPLICATED = "callback_duplicated"
    REORDERED = "callback_reordered"
    CORRUPTED = "callback_corrupted"
    FORGED = "callback_forged"
    RECORDED = "callback_recorded"
    # The ledger.
    BUSY = "ledger_busy"
    COMMIT_FAILS = "commit_fails"
    COMMIT_LIES = "commit_done_but_reported_failed"
    DISK_FULL = "disk_full"
    CRASH = "crash_between_statements"
    CRASH_AFTER_COMMIT = "crash_after_commit"
    # The hosts and who reads the events.
    CONSUMER_FAILS = "consumer_fails"
    CONSUMER_FAILS_LATE = "consumer_takes_it_and_fails"
    SKEW = "clock_skew"
    CLOCK_BACK = "clock_jumps_back"
    # What is not the network's, the ledger's or the clock's.
    SIGNAL = "signal_inside_a_write"
    KEY_SEEN = "key_used_with_other_data"
    DRIVER_NONSENSE = "driver_returns_nonsense"
    DRIVER_RAISES = "driver_raises"
    CHANGED = "callback_with_other_contents"


WIRE: Final = (
    PlannedFault.CONNECT,
    PlannedFault.REQUEST_LOST,
    PlannedFault.REQUEST_LATE,
    PlannedFault.ANSWER_LOST,
    PlannedFault.ANSWER_SLOW,
    PlannedFault.GARBAGE,
    PlannedFault.TRUNCATED,
    PlannedFault.TOO_MANY,
    PlannedFault.ERROR_BEFORE,
    PlannedFault.ERROR_AFTER,
    PlannedFault.GATEWAY_BEFORE,
    PlannedFault.GATEWAY_AFTER,
    PlannedFault.KEY_SEEN,
)
LEDGER: Final = (
    PlannedFault.BUSY,
    PlannedFault.COMMIT_FAILS,
    PlannedFault.COMMIT_LIES,
    PlannedFault.DISK_FULL,
    PlannedFault.CRASH,
    PlannedFault.CRASH_AFTER_COMMIT,
    PlannedFault.SIGNAL,
)
DRIVER: Final = (PlannedFault.DRIVER_NONSENSE, PlannedFault.DRIVER_RAISES)
CONSUMER: Final = (PlannedFault.CONSUMER_FAILS, PlannedFault.CONSUMER_FAILS_LATE)
CALLBACK: Final = (
    PlannedFault.DUPLICATED,
    PlannedFault.CORRUPTED,
    PlannedFault.FORGED,
    PlannedFault.RECORDED,
)

POST: Final = frozenset({*CALLBACK, PlannedFault.REORDERED, PlannedFault.CHANGED})

_ON: Final = 0.4
_OFTEN: Final = 0.8
"""For a fault that few schedules get far enough for."""
_FEW: Final = 0.3
_FEW_STRENGTHS: Final = (0.1, 0.3, 0.6)
_STRENGTHS: Final = (0.03, 0.12, 0.4)
_LEDGER_STRENGTHS: Final = (0.01, 0.03, 0.08)
_POST_STRENGTHS: Final = (0.1, 0.3, 0.6)


@dataclass(slots=True)
class Weather:
    """How likely each fault is; one that is missing does not happen."""

    chances: Mapping[PlannedFault, float] = field(default_factory=dict[PlannedFault, float])

    @classmethod
    def draw(cls, rolls: Dice) -> Weather:
        """Draw which faults a seed has on, and how strong each is; at times only a few, often."""
        if rolls.random() < _FEW:
            few = rolls.sample(list(PlannedFault), rolls.choice((1, 2, 3)))
            return cls({fault: rolls.choice(_FEW_STRENGTHS) for fault in few})
        chances: dict[PlannedFault, float] = {}
        for fault in PlannedFault:
            strength = rolls.choice(_strengths(fault))
            if rolls.random() < (_OFTEN if fault is PlannedFault.CHANGED else _ON):
                chances[fault] = strength
        return cls(chances)

    def strikes(self, rolls: Dice, *faults: PlannedFault) -> PlannedFault | None:
        """Draw whether one of *faults* happens now."""
        chances = self.chances
        for fault in faults:
            chance = chances.get(fault)
            if chance is not None and rolls.random() < chance:
                return fault
        return None


def _strengths(fault: PlannedFault) -> tuple[float, ...]:
    if fault in LEDGER:
        return _LEDGER_STRENGTHS
    return _POST_STRENGTHS if fault in POST else _STRENGTHS
