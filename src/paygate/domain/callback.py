"""What processors told us by callback or feed, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class InboxState(StrEnum):
    """What became of something that a processor told.

    NEW waits to be applied, or to be tried again. APPLIED is in the books. IGNORED
    concerns nothing of ours. DISMISSED could not be applied, and a person has seen that nothing
    is to be done. ORPHAN names an operation that we do not know, FAILED
    could not be applied, and CONFLICTED says something else than was told before under
    the same event id: a person must look at each of these.
    """

    NEW = "new"
    APPLIED = "applied"
    IGNORED = "ignored"
    ORPHAN = "orphan"
    FAILED = "failed"
    CONFLICTED = "conflicted"
    DISMISSED = "dismissed"


class Refusal(StrEnum):
    """Why a callback was not believed.

    UNSIGNED has no signature, SIGNATURE a wrong one: the secret was rotated, or somebody else
    sent it. TOO_OLD was signed long ago: it is a recording, or a clock is wrong. OTHER_MODE is
    of live payments at a test account, or the reverse, OTHER_ACCOUNT of another account of the
    processor. NO_SECRET came for an account that takes no callbacks, or has no secret to verify
    them with.
    """

    UNSIGNED = "unsigned"
    SIGNATURE = "signature"
    TOO_OLD = "too_old"
    OTHER_MODE = "other_mode"
    OTHER_ACCOUNT = "other_account"
    NO_SECRET = "no_secret"  # noqa: S105  (a reason, and no secret)
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedCallbacks:
    """How many callbacks of an account were refused for one reason, and when.

    `type` and `event_id` are what the last one called its event; nobody vouches for them.
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
    """One thing that a processor told, as it lies in the inbox.

    `body` is what came, word for word, in a list of callbacks. It is empty where a
    feed told it, and where no key of the cashier opens it; `digest` is its SHA-256.
    `error` says why it is not applied yet. `dismissed_by` is who has seen that nothing is to be
    done, and `dismissed_for` why. `times` counts how often a hint without proof came.
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
