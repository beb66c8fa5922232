"""Jobs: pieces of due work, each of which any process may do, twice or late, without harm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Self
from urllib.parse import quote, unquote

from paygate.errors import InvalidValue
from paygate.printing import shown

_PARTS: Final = 5
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


class JobKind(StrEnum):
    """The kinds of work that become due."""

    INQUIRE = "inquire"
    """Ask the gateway about an attempt, or send its request again if that is safe."""
    READ_FEED = "read-feed"
    """Read what a gateway reports in its feed."""
    APPLY = "apply"
    """Apply a callback that waits in the inbox."""
    CHECK_SETTLEMENT = "check-settlement"
    """Check whether accepted money of a payment has settled."""
    END_LINK = "end-link"
    """Let a payment link expire, and withdraw its pages."""
    RUN_AUTOPAY = "run-autopay"
    """Do a part of a day's run of automatic payment."""
    RUN_OVERDUE = "run-overdue"
    """Do a part of a day's sweep over overdue invoices."""
    PUBLISH = "publish"
    """Deliver events to a sink or a subscriber."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingJobs:
    """How many jobs of an account are due and taken by no process."""

    tenant: str
    account: str
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """
    A piece of due work: what is to be done, for which account, and about what.

    `subject` is the id of an attempt, a callback, a payment or a link, the name of an account or a
    sink, or the day of a run. A job of a link, a sink or a run has no account. `lease`
    identifies the claim of whoever took the job; it is empty if the job was only listed.
    """

    kind: JobKind
    tenant: str
    account: str
    subject: str
    due_at: datetime = _LONG_AGO
    lease: str = ""

    @property
    def id(self) -> str:
        """The job as a line of text, for a queue of the host; `read` is the inverse."""
        parts = (self.kind.value, self.tenant, self.account, self.subject, self.lease)
        return "/".join(quote(each, safe="") for each in parts)

    @classmethod
    def read(cls, text: str, argument: str = "job") -> Self:
        """
        Return the job whose `id` is *text*; its due time is not part of it.

        Raises `InvalidValue`, which names the *argument*, if it is not the id of a job.
        """
        parts = [unquote(each) for each in text.split("/")]
        if len(parts) != _PARTS or parts[0] not in tuple(JobKind) or not parts[1] or not parts[3]:
            raise InvalidValue(f"{shown(text)} is not the id of a job", argument=argument)
        kind, tenant, account, subject, lease = parts
        return cls(kind=JobKind(kind), tenant=tenant, account=account, subject=subject, lease=lease)

    def __str__(self) -> str:
        about = self.account if self.account == self.subject else f"{self.account} {self.subject}"
        return f"{self.kind} {about.strip()}"
