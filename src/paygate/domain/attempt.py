"""Attempts: one operation asked of a gateway, and how much is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from paygate.domain.kind import Operation
    from paygate.domain.money import Money


class AttemptState(StrEnum):
    """What we know about one attempt. Knowledge only grows: see `rank`."""

    SENDING = "sending"
    UNKNOWN = "unknown"
    REQUIRES_ACTION = "requires_action"
    PENDING = "pending"
    AUTHORIZED = "authorized"
    DECLINED = "declined"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"
    SUCCEEDED = "succeeded"

    @property
    def rank(self) -> int:
        """How much is known; a fact of lower or equal rank changes nothing."""
        return _RANKS[self]

    @property
    def ended(self) -> bool:
        """Whether it ended without money."""
        return _RANKS[self] == 5

    @property
    def final(self) -> bool:
        """Whether nothing more is expected."""
        return _RANKS[self] >= 5

    @property
    def in_doubt(self) -> bool:
        """Whether a request may have reached the processor and we do not know its result."""
        return _RANKS[self] <= 1


_RANKS = {
    AttemptState.SENDING: 0,
    AttemptState.UNKNOWN: 1,
    AttemptState.REQUIRES_ACTION: 2,
    AttemptState.PENDING: 3,
    AttemptState.AUTHORIZED: 4,
    AttemptState.DECLINED: 5,
    AttemptState.FAILED: 5,
    AttemptState.CANCELED: 5,
    AttemptState.EXPIRED: 5,
    AttemptState.SUCCEEDED: 6,
}


NOT_FINISHED: Final = "not_finished"
"""The code of a completion that found the payer still on the page."""

STILL_OPEN: Final = "still_open"
"""The code of a withdrawal that found the page still open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One operation asked of a gateway, stored before anything was sent.

    `payment` is empty for storing and deleting a method; `method` is the stored method
    that it is about, or that is to be made. `retryable` says that the same may be asked
    for again, with a new key. `request_id` is what the processor calls the request, if it
    says so: its support asks for it. `key` is the idempotency key of the call that asked for
    it, empty if that had none.
    """

    id: str
    payment: str
    operation: Operation
    account: str
    state: AttemptState
    amount: Money
    reference: str
    code: str
    raw_code: str
    reason: str
    created_at: datetime
    next_check_at: datetime | None
    checks: int
    needs_review: bool
    retryable: bool = False
    method: str = ""
    request_id: str = ""
    key: str = ""
