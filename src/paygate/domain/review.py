"""Reviews: why a payment needs manual review, and which verbs end the review.

A payment is under review while money other than requested waits for a decision, while one of its
attempts is flagged, or while there is a cause that concerns no attempt. Each
is a `Review` of its own with a cause of `REVIEWS`, and ends by one of the verbs of that cause.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class ReviewCause(StrEnum):
    """Why a payment needs manual review."""

    OTHER_MONEY = "other_money"
    """Money came in, or came back, that was not requested, and waits for a decision."""
    FOREIGN_MONEY = "foreign_money"
    """Money in a currency that was not requested waits for a decision."""
    OTHER_HOLD = "other_hold"
    """An amount other than requested is held."""
    CONTRADICTION = "contradiction"
    """A report of the processor about a movement contradicts the books."""
    IN_DOUBT = "in_doubt"
    """The outcome of an attempt could not be determined."""
    UNDECIDED = "undecided"
    """An attempt was accepted, or its page was opened, and its outcome is not reported."""
    HOLD = "hold"
    """A report of the processor contradicts that an amount is held."""
    REFUND = "refund"
    """An amount other than requested was sent back."""
    CAPTURE = "capture"
    """An amount other than requested was captured."""
    VOID = "void"
    """A void is reported as done, but money of the payment is still booked."""
    LATE_REPORT = "late_report"
    """A report that came after an attempt had ended contradicts its outcome."""
    EXCESS = "excess"
    """More was sent back than came in."""
    UNSETTLED = "unsettled"
    """Accepted money has not settled within the time that its rail allows."""
    REFUND_UNSETTLED = "refund_unsettled"
    """A refund was accepted, but has not settled within the time that its rail allows."""
    CONTRADICTED = "contradicted"
    """Settled money was reversed by hand, and its gateway does not report that it went back."""
    UNBROUGHT = "unbrought"
    """Money came back from a payment that ended without any."""
    UNIDENTIFIED = "unidentified"
    """Money came for a number that no customer has."""
    TWICE = "twice"
    """A movement is reported again as one of another kind; it is booked once."""
    OTHER_ACCOUNT = "other_account"
    """Another gateway account reports money of this payment."""
    DISPUTE = "dispute"
    """A dispute that was won is lost after all."""
    DISPUTE_ELSEWHERE = "dispute_elsewhere"
    """A dispute is reported for this payment that belongs to another one in the books."""


@dataclass(frozen=True, slots=True)
class Review:
    """One reason why a payment needs manual review, and the verbs that end it.

    `attempt` is the id of the attempt that it is about, empty if it is about none.
    """

    cause: ReviewCause
    reason: str
    verbs: tuple[str, ...]
    attempt: str = ""


REVIEWS: Final[Mapping[ReviewCause, tuple[str, tuple[str, ...]]]] = {
    ReviewCause.OTHER_MONEY: (
        "money that was not requested waits for a decision: assign it, or send it back",
        ("assign", "refund"),
    ),
    ReviewCause.FOREIGN_MONEY: (
        "money in a currency that was not requested waits for a decision: assign it",
        ("assign",),
    ),
    ReviewCause.OTHER_HOLD: (
        "an amount other than requested is held: release it",
        ("cancel", "resolve"),
    ),
    ReviewCause.CONTRADICTION: (
        "the processor's report of a movement contradicts the books: compare them",
        ("reviewed",),
    ),
    ReviewCause.IN_DOUBT: (
        "the outcome of the {operation} could not be determined: find it out at the processor",
        ("inquire", "resolve"),
    ),
    ReviewCause.UNDECIDED: (
        "the outcome of the {operation} was never reported: find it out at the processor",
        ("inquire", "resolve"),
    ),
    ReviewCause.HOLD: (
        "the processor contradicts that an amount is held: find out what is true",
        ("resolve",),
    ),
    ReviewCause.REFUND: (
        "another amount was sent back than requested, or in another way: check whether it is right",
        ("reviewed",),
    ),
    ReviewCause.CAPTURE: (
        "another amount was captured than requested: check whether it is right",
        ("reviewed",),
    ),
    ReviewCause.VOID: (
        "the void is reported as done, but money is still booked: check what was sent back",
        ("reviewed",),
    ),
    ReviewCause.LATE_REPORT: (
        "a report about the {operation} contradicts its outcome: ask the processor",
        ("reviewed",),
    ),
    ReviewCause.EXCESS: ("more was sent back than came in: ask the processor", ("reviewed",)),
    ReviewCause.UNSETTLED: (
        "its money was accepted, but has not settled in time: ask the processor",
        ("reviewed",),
    ),
    ReviewCause.REFUND_UNSETTLED: (
        "a refund of it was accepted, but has not settled in time: ask whether the payer got it",
        ("reviewed",),
    ),
    ReviewCause.CONTRADICTED: (
        "it was reversed by hand, but the processor reports that its money came: ask, and undo it",
        ("undo_reversal", "reviewed"),
    ),
    ReviewCause.UNBROUGHT: (
        "money of it came back, although none had come in: ask the processor",
        ("reviewed",),
    ),
    ReviewCause.UNIDENTIFIED: (
        "no customer has the number that its money came for: assign it",
        ("assign",),
    ),
    ReviewCause.TWICE: (
        "a movement of it is reported again as one of another kind: ask the processor",
        ("reviewed",),
    ),
    ReviewCause.OTHER_ACCOUNT: (
        "another gateway account reports money of it: ask the processors",
        ("reviewed",),
    ),
    ReviewCause.DISPUTE: ("a dispute that was won is lost after all", ("reviewed",)),
    ReviewCause.DISPUTE_ELSEWHERE: (
        "a dispute of another payment is reported for it: ask the processor",
        ("reviewed",),
    ),
}
"""The cause, as a sentence for people, and the verbs that end it, the best one first."""
