"""Commitments: what a customer has agreed to, and until when."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Final, cast

from paygate.domain.text import line
from paygate.errors import InvalidValue
from paygate.printing import shown_value

if TYPE_CHECKING:
    from datetime import datetime

_MONTHS_MAX: Final = 1200
_TEXT_MAX: Final = 400
_MONTHS_A_YEAR: Final = 12


class CommitmentStatus(StrEnum):
    """Whether a commitment still binds."""

    ACTIVE = "active"
    """It has not ended, or not begun."""
    ENDED = "ended"
    """Its term is over."""
    TERMINATED = "terminated"
    """It ended before its term."""


class OnDefault(StrEnum):
    """What happens to a commitment of a customer who is terminated for nonpayment."""

    TERMINATE = "terminate"
    """It is terminated as well."""
    KEEP = "keep"
    """It stays, and the host decides."""


def months_after(start: date, months: int) -> date:
    """
    Return the day *months* months after *start*, or the last day of that month.

    Twelve months after 29 February is 28 February; one month after 31 January is 28 February, and
    two months after it is 31 March.
    """
    year, month = divmod(start.year * _MONTHS_A_YEAR + start.month - 1 + months, _MONTHS_A_YEAR)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(start.day, last))


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """
    What a customer has agreed to, from the day `start` for a number of `months`.

    It binds until the day before `end`. `reason` says why it was terminated: ``nonpayment``,
    ``replaced``, or the host's words.
    """

    id: str
    customer: str
    name: str
    terms: str
    start: date
    months: int
    on_default: OnDefault = OnDefault.TERMINATE
    status: CommitmentStatus = CommitmentStatus.ACTIVE
    created_at: datetime
    ended_on: date | None = None
    reason: str = ""

    @property
    def end(self) -> date:
        """The first day on which it binds no more, by its term."""
        return months_after(self.start, self.months)


def checked_term(name: str, terms: str, start: date, months: int) -> None:
    """Raise `InvalidValue` for a commitment without a name, a proper term or plain text."""
    for argument, text in (("name", name), ("terms", terms)):
        if not isinstance(cast("object", text), str) or len(text) > _TEXT_MAX or not line(text):
            raise InvalidValue(
                f"{argument} must be one line of at most {_TEXT_MAX} characters, not "
                f"{shown_value(text)}",
                argument=argument,
            )
    if not name.strip():
        raise InvalidValue("a commitment needs a name", argument="name")
    number = cast("object", months)
    if type(number) is not int or not 1 <= number <= _MONTHS_MAX:
        raise InvalidValue(
            f"months must be 1 to {_MONTHS_MAX}, not {shown_value(number)}", argument="months"
        )
    try:
        months_after(start, months)
    except ValueError:
        raise InvalidValue("the commitment ends after the year 9999", argument="months") from None
