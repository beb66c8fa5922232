"""What processors report by callback or feed, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class InboxState(StrEnum):
    """What became of something that a processor reported."""

    NEW = "new"
    """It waits to be applied, or to be retried."""
    APPLIED = "applied"
    """It is in the books."""
    IGNORED = "ignored"
    """It concerns nothing of ours."""
    ORPHAN = "orphan"
    """It names an operation that is not in this ledger; it needs manual review."""
    FAILED = "failed"
    """It could not be applied; it needs manual review."""
    CONFLICTED = "conflicted"
    """It contradicts an earlier report under the same event id; it needs manual review."""
    DISMISSED = "dismissed"
    """It could not be applied, and a clerk recorded that nothing is to be done."""


class Refusal(StrEnum):
    """Why a callback was refused."""

    UNSIGNED = "unsigned"
    """It has no signature."""
    SIGNATURE = "signature"
    """Its signature is wrong: the secret was rotated, or somebody else sent it."""
    TOO_OLD = "too_old"
    """It was signed long ago: it is replayed, or a clock is wrong."""
    OTHER_MODE = "other_mode"
    """It is about live payments and came to a test account, or the reverse."""
    OTHER_ACCOUNT = "other_account"
    """It is about another account of the processor."""
    NO_SECRET = "no_secret"  # noqa: S105  (a reason, not a secret)
    """The account takes no callbacks, or has no secret to verify them with."""
    OTHER = "other"
    """Any other reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedCallbacks:
    """How many callbacks of an account were refused for one reason, and when.

    `type` and `event_id` are what the last one called its event; they are not authenticated.
    """

    account: str
    why: Refusal
    times: int
    first_at: datetime
    last_at: datetime
    type: str = ""
    event_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCallback:
    """One fact reported by a processor, as stored in the inbox.

    `body` is the received text, word for word, in a list of callbacks. It is empty if a
    feed reported the fact, or if no key of the cashier can decrypt it; `digest` is its SHA-256.
    `error` says why it is not applied yet. `dismissed_by` is who dismissed it because nothing is
    to be done, and `dismissed_for` why. `times` counts how often a hint without proof arrived.
    """

    id: int
    account: str
    event_id: str
    type: str
    state: InboxState
    received_at: datetime
    body: bytes = b""
    digest: str = ""
    tries: int = 0
    times: int = 1
    next_try_at: datetime | None = None
    applied_at: datetime | None = None
    error: str = ""
    dismissed_by: str = ""
    dismissed_for: str = ""

    def __repr__(self) -> str:
        return f"StoredCallback({self.id}, {self.account} {self.event_id}, {self.state})"
