"""Reviews: why a person must look at a payment, and which verb ends that.

A payment is under review while other money than was asked for waits for a decision, while an
attempt of it waits for a person, or while a cause stands that is no matter of an attempt. Each
is a `Review` of its own with a cause of `REVIEWS`, and ends by one of the verbs of that cause.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class ReviewCause(StrEnum):
    """Why a person must look at a payment."""

    OTHER_MONEY = "other_money"
    """Money came, or came back, that was not asked for, and waits for a decision."""
    FOREIGN_MONEY = "foreign_money"
    """Money in another currency than was asked for waits for a decision."""
    OTHER_HOLD = "other_hold"
    """Another amount than was asked for is held."""
    CONTRADICTION = "contradiction"
    """What a processor says of a movement contradicts the books."""
    IN_DOUBT = "in_doubt"
    """Nobody could find out how an attempt ended."""
    UNDECIDED = "undecided"
    """An attempt was accepted, or its page opened, and nobody says how it ended."""
    HOLD = "hold"
    """What a processor says of a held amount contradicts that it is held."""
    REFUND = "refund"
    """Another amount than was asked for went back."""
    CAPTURE = "capture"
    """Another amount than was asked for was captured."""
    VOID = "void"
    """A void is told as done, and money of the payment is still here."""
    TOLD = "told"
    """What was told after an attempt had ended contradicts how it ended."""
    EXCESS = "excess"
    """More went back than came."""
    UNSETTLED = "unsettled"
    """Accepted money has not settled within the time that its rail allows."""
    REFUND_UNSETTLED = "refund_unsettled"
    """A refund was accepted, and has not settled within the time that its rail allows."""
    CONTRADICTED = "contradicted"
    """A person reversed money that has settled, and its gateway does not say that it went back."""
    UNBROUGHT = "unbrought"
    """Money came back of a payment that ended and never brought any."""
    UNIDENTIFIED = "unidentified"
    """Money came for a number that nobody has."""
    TWICE = "twice"
    """A movement is told again as one of another kind; it is booked once."""
    TOLD_BY = "told_by"
    """Another gateway account tells of money of this payment."""
    DISPUTE = "dispute"
    """A dispute that was won is lost after all."""
    DISPUTE_ELSEWHERE = "dispute_elsewhere"
    """A dispute is told of this payment that stands in the books for another one."""


@dataclass(frozen=True, slots=True)
class Review:
    """One reason for which a person must look at a payment, and the verbs that end it.

    `attempt` is the id of the attempt that it is about, empty if it is about none.
    """

    cause: ReviewCause
    reason: str
    verbs: tuple[str, ...]
    attempt: str = ""


REVIEWS: Final[Mapping[ReviewCause, tuple[str, tuple[str, ...]]]] = {
    ReviewCause.OTHER_MONEY: (
        "money that was not asked for waits: say where it goes, or send it back",
        ("assign", "refund"),
    ),
    ReviewCause.FOREIGN_MONEY: (
        "money in another currency than was asked for waits: say where it goes",
        ("assign",),
    ),
    ReviewCause.OTHER_HOLD: (
        "another amount than was asked for is held: let it go",
        ("cancel", "resolve"),
    ),
    ReviewCause.CONTRADICTION: (
        "the processor says something else of a movement than the books: compare them",
        ("reviewed",),
    ),
    ReviewCause.IN_DOUBT: (
        "nobody knows how the {operation} ended: find out at the processor",
        ("inquire", "resolve"),
    ),
    ReviewCause.UNDECIDED: (
        "nobody says how the {operation} ended: find out at the processor",
        ("inquire", "resolve"),
    ),
    ReviewCause.HOLD: (
        "the processor contradicts that an amount is held: find out what is true",
        ("resolve",),
    ),
    ReviewCause.REFUND: (
        "another amount than was asked for went back, or in another way: look whether it is right",
        ("reviewed",),
    ),
    ReviewCause.CAPTURE: (
        "another amount than was asked for was captured: look whether it is right",
        ("reviewed",),
    ),
    ReviewCause.VOID: (
        "it is said to be voided, and money of it is still booked: look what went back",
        ("reviewed",),
    ),
    ReviewCause.TOLD: (
        "what was told of the {operation} contradicts how it ended: ask the processor",
        ("reviewed",),
    ),
    ReviewCause.EXCESS: ("more went back than came: ask the processor", ("reviewed",)),
    ReviewCause.UNSETTLED: (
        "its money was accepted and has not settled in time: ask the processor",
        ("reviewed",),
    ),
    ReviewCause.REFUND_UNSETTLED: (
        "a refund of it was accepted and has not settled in time: ask whether the payer got it",
        ("reviewed",),
    ),
    ReviewCause.CONTRADICTED: (
        "it was reversed by hand, and the processor says that its money is here: ask, and undo it",
        ("undo_reversal", "reviewed"),
    ),
    ReviewCause.UNBROUGHT: (
        "money came back of it, and it had brought none: ask the processor",
        ("reviewed",),
    ),
    ReviewCause.UNIDENTIFIED: (
        "nobody has the number that its money came for: say whose it is",
        ("assign",),
    ),
    ReviewCause.TWICE: (
        "a movement of it is told again as one of another kind: ask the processor",
        ("reviewed",),
    ),
    ReviewCause.TOLD_BY: (
        "another gateway account tells of money of it: ask the processors",
        ("reviewed",),
    ),
    ReviewCause.DISPUTE: ("a dispute that was won is lost after all", ("reviewed",)),
    ReviewCause.DISPUTE_ELSEWHERE: (
        "a dispute of another payment is told of it: ask the processor",
        ("reviewed",),
    ),
}
"""Why, as a sentence for people, and the verbs that end it, the best one first."""
