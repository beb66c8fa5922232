"""Attempts: one operation requested from a gateway, and how much is known about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from paygate.domain.advice import Advice
    from paygate.domain.kind import Operation
    from paygate.domain.money import Money


class AttemptState(StrEnum):
    """What we know about one attempt. Knowledge only grows: see `rank`."""

    SENDING = "sending"
    """The request is stored, and is being sent or was interrupted."""
    UNKNOWN = "unknown"
    """The request may have reached the processor, and its result is not known."""
    REQUIRES_ACTION = "requires_action"
    """The payer must do something."""
    PENDING = "pending"
    """The processor accepted it; the result comes later."""
    AUTHORIZED = "authorized"
    """An amount is held."""
    DECLINED = "declined"
    """The payer's bank or the processor's risk rules said no."""
    FAILED = "failed"
    """The request was rejected, or was never sent."""
    CANCELED = "canceled"
    """It was canceled by us, by the payer or by the processor."""
    EXPIRED = "expired"
    """The page, slip or authorization expired."""
    SUCCEEDED = "succeeded"
    """It was done."""

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
        """Whether a request may have reached the processor and its result is not known."""
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
"""The code of a completion if the payer has not finished on the page."""

STILL_OPEN: Final = "still_open"
"""The code of a withdrawal if the page is still open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One operation requested from a gateway, stored before anything was sent.

    `payment` is empty if a method is to be stored or deleted; `method` is the stored method
    that the attempt is about or creates. `retryable` says that the same operation may be
    requested again, with a new key, and `advice` what the card's bank says about that. `request_id`
    is the processor's id of the request, if there is one: its support asks for it. `key` is the
    idempotency key of the call that requested the operation, empty if it had none.
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
    advice: Advice | None = None
    method: str = ""
    request_id: str = ""
    key: str = ""
