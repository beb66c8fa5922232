"""What happens after an automatic charge has failed: which method, when, and whether at all.

The card networks and the bank rails forbid most repetitions, and each forbids others. So a failure
is first put into a class, by the processor's advice, the return code of a bank, or
our code for a decline. `judge` then says what follows from the class and from the tries before. It
is a pure function, and the table in the documents is made from the same data.

On a bank rail the return code decides, before settlement and after it: an entry may be presented
three times in all, so the gaps after a card's soft decline never apply to a bank account.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from paygate.domain.advice import DAYS, Advice
from paygate.domain.banking_days import after_banking_days
from paygate.domain.kind import Kind
from paygate.domain.outcome import DeclineCode, RejectCause
from paygate.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class RetryClass(StrEnum):
    """What sort of failure it was, by what may follow."""

    SOFT = "soft"
    """No money, a limit, or no reason given: the same card may work in a few days."""
    ISSUER_AWAY = "issuer_away"
    """The card's bank could not be reached."""
    ADVISED = "advised"
    """The card's bank says after how many days the card may be charged again."""
    CORRECT = "correct"
    """The card has expired, or its data are wrong or gone: it needs an update."""
    HARD = "hard"
    """The card or account must not be charged again."""
    REVOKED = "revoked"
    """The payer withdrew the authorization."""
    PAYER_NEEDED = "payer_needed"
    """The payer must authenticate."""
    FUNDS_RETURN = "funds_return"
    """A bank returned a debit because the account had no money."""
    OTHER_RETURN = "other_return"
    """A bank returned a debit for a reason that needs manual review."""
    DUPLICATE = "duplicate"
    """The processor has seen the same charge: money may have moved."""
    NOT_SENT = "not_sent"
    """Nothing was asked of the payer's bank; the request can be sent again soon."""
    NOT_ARRIVED = "not_arrived"
    """The outcome was unknown, and the request turned out to have never arrived."""
    REFUSED = "refused"
    """The processor refused the request because of us, such as our credentials."""
    CANCELED = "canceled"
    """A person, or the processor, canceled the payment before money moved."""


class MethodUse(StrEnum):
    """What may be done with the method that failed."""

    STAYS = "stays"
    """It can be charged again."""
    RESTS = "rests"
    """It is not charged for any invoice until a day."""
    BLOCKED = "blocked"
    """It is not charged until it is replaced or updated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRule:
    """What follows from a class: for the method, for the invoice, and as an event.

    `counts` says whether the failure is one of the limited number of tries. `other_method` says
    whether another method of the customer may be charged, from the next day on.
    """

    method: MethodUse
    counts: bool
    other_method: bool
    then: str


RULES: Final[Mapping[RetryClass, RetryRule]] = {
    RetryClass.SOFT: RetryRule(
        method=MethodUse.STAYS,
        counts=True,
        other_method=False,
        then="again 3, 5 and 7 days after each failure, then given up",
    ),
    RetryClass.ISSUER_AWAY: RetryRule(
        method=MethodUse.STAYS,
        counts=True,
        other_method=False,
        then="again 1, 3 and 5 days after each failure, then given up",
    ),
    RetryClass.ADVISED: RetryRule(
        method=MethodUse.RESTS,
        counts=True,
        other_method=False,
        then="again on the later of the advised day and the day of a soft decline",
    ),
    RetryClass.CORRECT: RetryRule(
        method=MethodUse.BLOCKED,
        counts=True,
        other_method=True,
        then="another method on the next day; else it waits for an update",
    ),
    RetryClass.HARD: RetryRule(
        method=MethodUse.BLOCKED,
        counts=True,
        other_method=True,
        then="another method on the next day; else it waits for a new one",
    ),
    RetryClass.REVOKED: RetryRule(
        method=MethodUse.BLOCKED,
        counts=True,
        other_method=False,
        then="the mandate ends, and automatic payment pauses until there is a new mandate",
    ),
    RetryClass.PAYER_NEEDED: RetryRule(
        method=MethodUse.STAYS,
        counts=True,
        other_method=False,
        then="given up for this invoice; send the payer a payment link",
    ),
    RetryClass.FUNDS_RETURN: RetryRule(
        method=MethodUse.STAYS,
        counts=True,
        other_method=False,
        then="given up, or presented again at most twice if the host has turned that on",
    ),
    RetryClass.OTHER_RETURN: RetryRule(
        method=MethodUse.STAYS,
        counts=True,
        other_method=False,
        then="given up; a person looks at it",
    ),
    RetryClass.DUPLICATE: RetryRule(
        method=MethodUse.STAYS,
        counts=True,
        other_method=False,
        then="given up; a person looks for the other charge",
    ),
    RetryClass.NOT_SENT: RetryRule(
        method=MethodUse.STAYS,
        counts=False,
        other_method=False,
        then="again after 5 minutes, doubling, 8 times, and then on the next day",
    ),
    RetryClass.NOT_ARRIVED: RetryRule(
        method=MethodUse.STAYS,
        counts=False,
        other_method=False,
        then="again on the next day",
    ),
    RetryClass.REFUSED: RetryRule(
        method=MethodUse.STAYS,
        counts=False,
        other_method=False,
        then="the account is left alone for the rest of the run; again on the next day",
    ),
    RetryClass.CANCELED: RetryRule(
        method=MethodUse.STAYS,
        counts=True,
        other_method=False,
        then="given up; somebody wanted that",
    ),
}
"""What follows from each class of failure; the reference is made from this table."""

CODES: Final[Mapping[str, RetryClass]] = {
    DeclineCode.GENERIC: RetryClass.SOFT,
    DeclineCode.INSUFFICIENT_FUNDS: RetryClass.SOFT,
    DeclineCode.LIMIT_EXCEEDED: RetryClass.SOFT,
    DeclineCode.TRY_AGAIN_LATER: RetryClass.ISSUER_AWAY,
    DeclineCode.EXPIRED_METHOD: RetryClass.CORRECT,
    DeclineCode.INVALID_METHOD: RetryClass.CORRECT,
    DeclineCode.INVALID_SECURITY_CODE: RetryClass.CORRECT,
    DeclineCode.INVALID_ADDRESS: RetryClass.CORRECT,
    DeclineCode.LOST_OR_STOLEN: RetryClass.HARD,
    DeclineCode.FRAUD_SUSPECTED: RetryClass.HARD,
    DeclineCode.NOT_PERMITTED: RetryClass.HARD,
    DeclineCode.ACCOUNT_CLOSED: RetryClass.HARD,
    DeclineCode.NO_ACCOUNT: RetryClass.HARD,
    DeclineCode.MANDATE_REVOKED: RetryClass.REVOKED,
    DeclineCode.AUTHENTICATION_REQUIRED: RetryClass.PAYER_NEEDED,
    DeclineCode.AUTHENTICATION_FAILED: RetryClass.PAYER_NEEDED,
    DeclineCode.DUPLICATE: RetryClass.DUPLICATE,
    RejectCause.METHOD_GONE: RetryClass.CORRECT,
    RejectCause.RATE_LIMIT: RetryClass.NOT_SENT,
    RejectCause.UNAVAILABLE: RetryClass.NOT_SENT,
    RejectCause.CREDENTIALS: RetryClass.REFUSED,
    RejectCause.PERMISSION: RetryClass.REFUSED,
    RejectCause.VALIDATION: RetryClass.REFUSED,
    RejectCause.STATE: RetryClass.DUPLICATE,
    RejectCause.KEY_IN_USE: RetryClass.DUPLICATE,
    RejectCause.KEY_MISMATCH: RetryClass.DUPLICATE,
    "unsent": RetryClass.NOT_SENT,
    "not_found": RetryClass.NOT_ARRIVED,
    "canceled": RetryClass.CANCELED,
    "expired": RetryClass.CANCELED,
}
"""The class of each code for a decline or a rejection."""

RETURN_CODES: Final[Mapping[str, RetryClass]] = {
    "R01": RetryClass.FUNDS_RETURN,
    "R09": RetryClass.FUNDS_RETURN,
    "AM04": RetryClass.FUNDS_RETURN,
    "MS03": RetryClass.FUNDS_RETURN,
    "R02": RetryClass.HARD,
    "R03": RetryClass.HARD,
    "R04": RetryClass.HARD,
    "R12": RetryClass.HARD,
    "R13": RetryClass.HARD,
    "R16": RetryClass.HARD,
    "R20": RetryClass.HARD,
    "AC01": RetryClass.HARD,
    "AC04": RetryClass.HARD,
    "AC06": RetryClass.HARD,
    "R05": RetryClass.REVOKED,
    "R07": RetryClass.REVOKED,
    "R10": RetryClass.REVOKED,
    "R29": RetryClass.REVOKED,
    "R51": RetryClass.REVOKED,
    "MD01": RetryClass.REVOKED,
    "R06": RetryClass.OTHER_RETURN,
    "R08": RetryClass.OTHER_RETURN,
    "R11": RetryClass.OTHER_RETURN,
    "R14": RetryClass.OTHER_RETURN,
    "R15": RetryClass.OTHER_RETURN,
    "R17": RetryClass.OTHER_RETURN,
    "R24": RetryClass.OTHER_RETURN,
    "MD06": RetryClass.OTHER_RETURN,
}
"""The class of each return code of ACH (Nacha's R codes) and SEPA (ISO 20022's reasons)."""

BLOCKING_RETURNS: Final = frozenset({"R14", "R15"})
"""Returns that a person looks at and that block the account: its owner has died, or cannot act."""

# A bank's answer to a debit in our own words, if its code is not known.
_OF_BANKS: Final[Mapping[str, RetryClass]] = {
    DeclineCode.INSUFFICIENT_FUNDS: RetryClass.FUNDS_RETURN,
    DeclineCode.INVALID_METHOD: RetryClass.HARD,
    DeclineCode.LOST_OR_STOLEN: RetryClass.HARD,
    DeclineCode.FRAUD_SUSPECTED: RetryClass.HARD,
    DeclineCode.NOT_PERMITTED: RetryClass.HARD,
    DeclineCode.ACCOUNT_CLOSED: RetryClass.HARD,
    DeclineCode.NO_ACCOUNT: RetryClass.HARD,
    DeclineCode.EXPIRED_METHOD: RetryClass.HARD,
    DeclineCode.MANDATE_REVOKED: RetryClass.REVOKED,
    DeclineCode.DUPLICATE: RetryClass.DUPLICATE,
    RejectCause.METHOD_GONE: RetryClass.CORRECT,
}


ADVICE: Final[Mapping[Advice, RetryClass]] = {
    Advice.UPDATE: RetryClass.CORRECT,
    Advice.NEVER: RetryClass.HARD,
    Advice.REVOKED: RetryClass.REVOKED,
    **dict.fromkeys(DAYS, RetryClass.ADVISED),
}
"""The class of the advice of a card's bank, which takes precedence over the code of a decline.

`Advice.LATER` names neither a day nor a cause, so there the code decides.
"""

_RETURN_CODE: Final = re.compile(r"\b(R[0-9]{2}|[A-Z]{2}[0-9]{2})\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """
    How an automatic charge ended without money: its code, the processor's, and any advice.

    With `retryable` false, the processor says that the same method must not be tried again.
    """

    kind: Kind
    code: str
    raw_code: str = ""
    retryable: bool = True
    advice: Advice | None = None


def return_code(raw_code: str) -> str:
    """Return the code of ACH or SEPA in a processor's code; empty if it has none."""
    found = _RETURN_CODE.search(raw_code)
    return "" if found is None else found.group()


def classify(failure: Failure) -> RetryClass:
    """Return the class of *failure*: by advice, else by the bank's code, else by our code."""
    if failure.code in _NEVER_ASKED:
        return CODES[failure.code]
    if failure.kind is Kind.E_CHECK:
        default = _OF_BANKS.get(failure.code, RetryClass.OTHER_RETURN)
        raw = return_code(failure.raw_code)
        return RETURN_CODES.get(raw, RetryClass.OTHER_RETURN) if raw else default
    if failure.advice is not None and failure.advice in ADVICE:
        return ADVICE[failure.advice]
    found = CODES.get(failure.code, RetryClass.SOFT)
    if found in _AGAIN and not failure.retryable and failure.advice is not Advice.LATER:
        return RetryClass.HARD  # the card's bank has asked not to try again
    return found


_AGAIN: Final = (RetryClass.SOFT, RetryClass.ISSUER_AWAY)
_NEVER_ASKED: Final = frozenset(
    code for code, each in CODES.items() if not RULES[each].counts or each is RetryClass.CANCELED
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLimits:
    """
    How often a method may be declined without its payer, in any 30 days and on one day.

    Visa allows 15, Mastercard 35 at one amount; one a day is our own limit. Methods with the same
    card or account number count together.
    """

    in_30_days: int = 15
    a_day: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.a_day <= self.in_30_days:
            raise InvalidValue(
                f"network limits must be at least 1 a day and not fewer in 30 days, not "
                f"{self.a_day} and {self.in_30_days}",
                argument="limits",
            )


_REPRESENTATIONS_MAX: Final = 2
_GAP_MAX: Final = 60
_LAST_PRESENTED: Final = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """
    When an automatic charge is tried again after it failed.

    The gaps in days count from the failure before. `represent` are the gaps in banking days after
    which a returned debit is presented again, at most twice; it is empty, so nothing is presented
    again, because some processors do that by themselves. `holidays` are days on which banks are
    closed.
    """

    soft: tuple[int, ...] = (3, 5, 7)
    issuer_away: tuple[int, ...] = (1, 3, 5)
    not_sent_first: timedelta = timedelta(minutes=5)
    not_sent_max: int = 8
    represent: tuple[int, ...] = ()
    holidays: frozenset[date] = frozenset()
    limits: NetworkLimits = field(default_factory=NetworkLimits)

    def __post_init__(self) -> None:
        for name in ("soft", "issuer_away", "represent"):
            gaps: tuple[int, ...] = getattr(self, name)
            if any(not 1 <= gap <= _GAP_MAX for gap in gaps):
                raise InvalidValue(
                    f"the gaps of {name} must be 1 to {_GAP_MAX} days, not {gaps}", argument=name
                )
        if len(self.represent) > _REPRESENTATIONS_MAX:
            raise InvalidValue(
                f"a returned debit can be presented again at most {_REPRESENTATIONS_MAX} times, "
                f"not {len(self.represent)}",
                argument="represent",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """
    What follows from a failure.

    `next_on` is the first day of the next try, and `again_after` is set instead if nothing was
    asked of the payer's bank, so that the request can be sent again on the same day. With
    `given_up`, the invoice is not charged automatically again, unless a new method is stored.
    `number` is that of the try, and `most` how many there can be.
    """

    retry_class: RetryClass
    method: MethodUse
    next_on: date | None = None
    again_after: timedelta | None = None
    given_up: bool = False
    rests_until: date | None = None
    ends_mandate: bool = False
    number: int = 1
    most: int = 1

    @property
    def counts(self) -> bool:
        """Whether the failure is one of the limited number of tries."""
        return RULES[self.retry_class].counts


def judge(
    failure: Failure,
    earlier: Sequence[RetryClass],
    on: date,
    policy: RetryPolicy,
    first_on: date | None = None,
) -> Verdict:
    """
    Return what follows from *failure*, which became known on the day *on*.

    *earlier* are the classes of the failures before it, of the same invoice and method, and
    *first_on* is the day of the first of them.
    """
    found = classify(failure)
    rule = RULES[found]
    tries = sum(RULES[each].counts for each in earlier)
    number = tries + 1
    match found:
        case RetryClass.SOFT | RetryClass.ISSUER_AWAY | RetryClass.ADVISED:
            gaps = policy.issuer_away if found is RetryClass.ISSUER_AWAY else policy.soft
            rests = None
            if failure.advice is not None and failure.advice in DAYS:
                rests = on + timedelta(days=DAYS[failure.advice])
            if tries >= len(gaps):
                return Verdict(
                    retry_class=found,
                    method=rule.method,
                    given_up=True,
                    rests_until=rests,
                    number=number,
                    most=len(gaps) + 1,
                )
            day = on + timedelta(days=gaps[tries])
            return Verdict(
                retry_class=found,
                method=rule.method,
                next_on=day if rests is None else max(day, rests),
                rests_until=rests,
                number=number,
                most=len(gaps) + 1,
            )
        case RetryClass.CORRECT | RetryClass.HARD:
            return Verdict(
                retry_class=found,
                method=rule.method,
                next_on=on + timedelta(days=1),
                number=number,
            )
        case RetryClass.REVOKED:
            return Verdict(
                retry_class=found,
                method=rule.method,
                next_on=on + timedelta(days=1),
                ends_mandate=True,
                number=number,
            )
        case RetryClass.FUNDS_RETURN:
            return _returned(policy, tries, on, first_on or on)
        case RetryClass.NOT_SENT:
            unsent = _in_a_row(earlier)
            if unsent >= policy.not_sent_max:
                return Verdict(
                    retry_class=found, method=rule.method, next_on=on + timedelta(days=1)
                )
            wait = policy.not_sent_first * 2**unsent
            return Verdict(retry_class=found, method=rule.method, again_after=wait)
        case RetryClass.NOT_ARRIVED | RetryClass.REFUSED:
            return Verdict(retry_class=found, method=rule.method, next_on=on + timedelta(days=1))
        case (
            RetryClass.OTHER_RETURN
            | RetryClass.DUPLICATE
            | RetryClass.PAYER_NEEDED
            | RetryClass.CANCELED
        ):
            blocks = return_code(failure.raw_code) in BLOCKING_RETURNS
            return Verdict(
                retry_class=found,
                method=MethodUse.BLOCKED if blocks else rule.method,
                given_up=True,
                number=number,
            )


def _returned(policy: RetryPolicy, tries: int, on: date, first_on: date) -> Verdict:
    """Return what follows from a debit that came back because the account had no money."""
    number, most = tries + 1, len(policy.represent) + 1
    rule = RULES[RetryClass.FUNDS_RETURN]
    day = None
    if tries < len(policy.represent):
        day = after_banking_days(on, policy.represent[tries], policy.holidays)
        if day > first_on + timedelta(days=_LAST_PRESENTED):
            day = None
    return Verdict(
        retry_class=RetryClass.FUNDS_RETURN,
        method=rule.method,
        next_on=day,
        given_up=day is None,
        number=number,
        most=most,
    )


def _in_a_row(earlier: Sequence[RetryClass]) -> int:
    """Return how many of the last failures in a row were never sent."""
    count = 0
    for each in reversed(earlier):
        if each is not RetryClass.NOT_SENT:
            break
        count += 1
    return count
