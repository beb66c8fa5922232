"""Faults: what can go wrong, which faults a seed has turned on, and how likely each is.

As in swarm testing, each seed draws a handful of faults instead of a little of everything:
some bugs show only if another fault is absent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.testing.simulation.dice import Dice


class PlannedFault(StrEnum):
    """A fault that can happen in a schedule."""

    # The network and the processor's server.
    CONNECT = "connect_failure"
    """The connection is refused, so the request is not sent."""
    REQUEST_LOST = "request_lost"
    """The request is sent and lost."""
    REQUEST_LATE = "request_late"
    """The request arrives after its host has stopped waiting."""
    RESPONSE_LOST = "response_lost"
    """The request is executed, and its response is lost."""
    RESPONSE_SLOW = "response_slow"
    """The response takes several steps to arrive."""
    GARBAGE = "garbage"
    """The request is executed, and the response is not JSON."""
    TRUNCATED = "truncated"
    """The request is executed, and the response is cut off."""
    TOO_MANY = "status_429"
    """The request is refused by a rate limit."""
    ERROR_BEFORE = "status_500_not_done"
    """The server fails before it executes the request."""
    ERROR_AFTER = "status_500_done"
    """The server fails after it executed the request."""
    GATEWAY_BEFORE = "status_502_not_done"
    """A proxy fails before the request is executed."""
    GATEWAY_AFTER = "status_502_done"
    """A proxy fails after the request was executed."""
    # Callbacks.
    DUPLICATED = "callback_duplicated"
    """A callback is sent twice."""
    REORDERED = "callback_reordered"
    """A callback overtakes earlier ones."""
    CORRUPTED = "callback_corrupted"
    """A bit of the callback's body is changed."""
    FORGED = "callback_forged"
    """The callback is signed with another key."""
    RECORDED = "callback_recorded"
    """An old callback is replayed."""
    # The ledger.
    BUSY = "ledger_busy"
    """The ledger is locked when a transaction begins."""
    COMMIT_FAILS = "commit_fails"
    """A commit fails, and its transaction is rolled back."""
    COMMIT_LIES = "commit_done_but_reported_failed"
    """A commit succeeds, but reports a failure."""
    DISK_FULL = "disk_full"
    """The disk is full at a write."""
    CRASH = "crash_between_statements"
    """The process dies within a transaction."""
    CRASH_AFTER_COMMIT = "crash_after_commit"
    """The process dies right after a commit."""
    # The hosts, and the consumer of events.
    CONSUMER_FAILS = "consumer_fails"
    """The consumer fails before it takes an event."""
    CONSUMER_FAILS_LATE = "consumer_takes_it_and_fails"
    """The consumer fails after it took an event."""
    SKEW = "clock_skew"
    """The clock of a host is wrong by up to four minutes."""
    CLOCK_BACK = "clock_jumps_back"
    """The clock of a host jumps back, by up to two days."""
    # Other faults.
    SIGNAL = "signal_inside_a_write"
    """A signal handler raises within a transaction."""
    KEY_SEEN = "key_used_with_other_data"
    """The processor has already seen the key with another body."""
    DRIVER_NONSENSE = "driver_returns_nonsense"
    """A driver returns a value that the protocol does not allow."""
    DRIVER_RAISES = "driver_raises"
    """A driver raises an exception of its own."""
    CHANGED = "callback_with_other_contents"
    """A callback arrives again under the same id, with other contents."""


WIRE: Final = (
    PlannedFault.CONNECT,
    PlannedFault.REQUEST_LOST,
    PlannedFault.REQUEST_LATE,
    PlannedFault.RESPONSE_LOST,
    PlannedFault.RESPONSE_SLOW,
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
"""For a fault that only few schedules get to."""
_FEW: Final = 0.3
_FEW_STRENGTHS: Final = (0.1, 0.3, 0.6)
_STRENGTHS: Final = (0.03, 0.12, 0.4)
_LEDGER_STRENGTHS: Final = (0.01, 0.03, 0.08)
_POST_STRENGTHS: Final = (0.1, 0.3, 0.6)


@dataclass(slots=True)
class Weather:
    """The probability of each fault; one that is not listed does not happen."""

    chances: Mapping[PlannedFault, float] = field(default_factory=dict[PlannedFault, float])

    @classmethod
    def draw(cls, rolls: Dice) -> Weather:
        """Return the faults of a seed and their probabilities; some seeds have few, but often."""
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
        """Return the one of *faults* that happens now, if any."""
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
