"""What the dialects of networks have in common: steps, results, and what a reply is made of.

A dialect is a table of its codes, a parser of its requests and a writer of its replies. What is
stored, and when, is decided in `answering`, once for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

from paygate.driver import PayerFacts, WhyNot

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from paygate.driver import Callback, KeptNotice, Money, Reply


class Step(StrEnum):
    """What a network asks or reports."""

    CHECK = "check"
    """May this number be paid?"""
    PAY = "pay"
    """Cash was taken for a number."""
    RESERVE = "reserve"
    """Money will be taken for a number, if we agree."""
    PERFORM = "perform"
    """The reserved money was taken."""
    CANCEL = "cancel"
    """The reservation is off."""
    STATUS = "status"
    """What became of a transaction?"""
    STATEMENT = "statement"
    """Which transactions were there in this time?"""


class Result(StrEnum):
    """What we answer, in our own words; each dialect has a code for it."""

    OK = "ok"
    RETRY_LATER = "retry_later"
    BAD_ACCOUNT = "bad_account"
    ACCOUNT_NOT_FOUND = "account_not_found"
    ACCOUNT_INACTIVE = "account_inactive"
    ALREADY_PAID = "already_paid"
    NOT_ALLOWED = "not_allowed"
    AMOUNT_LOW = "amount_low"
    AMOUNT_HIGH = "amount_high"
    AMOUNT_WRONG = "amount_wrong"
    CONFLICT = "conflict"
    NOT_FOUND = "not_found"
    CANNOT_PERFORM = "cannot_perform"
    CANNOT_CANCEL = "cannot_cancel"
    AUTH_FAILED = "auth_failed"
    BAD_SYNTAX = "bad_syntax"
    BAD_REQUEST = "bad_request"
    BAD_COMMAND = "bad_command"


BY_REASON: Final[Mapping[WhyNot, Result]] = {
    WhyNot.NOT_FOUND: Result.ACCOUNT_NOT_FOUND,
    WhyNot.DISABLED: Result.NOT_ALLOWED,
    WhyNot.PAID: Result.ALREADY_PAID,
    WhyNot.WITHDRAWN: Result.ACCOUNT_INACTIVE,
    WhyNot.EXPIRED: Result.ACCOUNT_INACTIVE,
    WhyNot.IN_DOUBT: Result.NOT_ALLOWED,
    WhyNot.TOO_SMALL: Result.AMOUNT_LOW,
    WhyNot.TOO_LARGE: Result.AMOUNT_HIGH,
}
"""What is answered to a question about a number that may not be paid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as its dialect read it; `echo` holds what the reply repeats."""

    step: Step
    transaction: str = ""
    account: str = ""
    amount: Money | None = None
    reason: str = ""
    since: datetime | None = None
    until: datetime | None = None
    echo: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a reply is made of: the result, the facts, and what is stored of the transaction."""

    result: Result
    asked: Asked
    facts: PayerFacts
    opened: KeptNotice | None = None
    paid: KeptNotice | None = None
    canceled: KeptNotice | None = None


class NotReadable(Exception):
    """A request cannot be read; `result` says what is wrong, and `echo` what the reply repeats."""

    def __init__(self, result: Result, echo: Mapping[str, str] | None = None) -> None:
        super().__init__(result.value)
        self.result, self.echo = result, echo or {}


class Dialect(Protocol):
    """How one family of networks writes its requests and reads our replies."""

    signed: ClassVar[bool]
    """Whether each request has a signature, so that nothing else has to prove who sent it."""
    lifetime: ClassVar[timedelta | None]
    """How long a reservation can be performed; None if it does not say."""

    def read(self, callback: Callback) -> Asked:
        """Return what *callback* asks, or raise `NotReadable` or `NotAuthentic`."""
        ...

    def write(self, answer: Answer) -> Reply:
        """Return *answer* as the network reads it."""
        ...

    def write_error(self, result: Result, echo: Mapping[str, str]) -> Reply:
        """Return the reply to a request that was not read, or is not authentic."""
        ...
