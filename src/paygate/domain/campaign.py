"""Campaigns: by which stages a customer who does not pay is reminded, limited and suspended.

A campaign is data. Its `version` is made from all that it says, and a customer who was warned under
one version goes through the rest of its stages, whatever the host has changed meanwhile: nobody is
suspended sooner than announced.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self, cast

from paygate.domain.banking_days import BankCalendar, banking_day_from
from paygate.domain.money import Money
from paygate.errors import InvalidValue
from paygate.printing import shown, shown_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class CustomerState(StrEnum):
    """How a customer stands who does or does not pay, from the best to the worst."""

    CLEAR = "clear"
    """Nothing is overdue, or less than the campaign's threshold."""
    WARNED = "warned"
    """Reminded of an overdue invoice."""
    LIMITED = "limited"
    """The host gives less service."""
    SUSPENDED = "suspended"
    """The host gives no service."""
    TERMINATED = "terminated"
    """The contract has ended; only `reinstate` leads out of this state."""

    @property
    def severity(self) -> int:
        """The place of the state, from 0 for clear."""
        return _SEVERITY[self]


_SEVERITY: Final = {each: place for place, each in enumerate(CustomerState)}
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_DAYS_MAX: Final = 3650
_STAGES_MAX: Final = 20
_MAJOR: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """
    A step of a campaign, on a day after the due date.

    It comes `after` days after the due date, and at least `gap` days after the stage before. The
    customer then has the `state`, and gets the notice of the kind `notice`. With a `fee`, an
    invoice for it is issued in the same step, if the campaign is about that currency.
    """

    name: str
    after: int
    gap: int = 1
    state: CustomerState
    notice: str
    fee: Money | None = None

    def __post_init__(self) -> None:
        for argument in ("name", "notice"):
            text = getattr(self, argument)
            if not isinstance(text, str) or not _NAME.fullmatch(text):
                raise InvalidValue(
                    f"the {argument} of a stage is 1 to 40 lower-case letters, digits and "
                    f"underscores, not {shown_value(text)}",
                    argument=argument,
                )
        for argument, least in (("after", 1), ("gap", 0)):
            days = cast("object", getattr(self, argument))
            if type(days) is not int or not least <= days <= _DAYS_MAX:
                raise InvalidValue(
                    f"{argument} of stage {self.name!r} must be {least} to {_DAYS_MAX} days, not "
                    f"{shown_value(days)}",
                    argument=argument,
                )
        state = cast("object", self.state)
        if not isinstance(state, CustomerState) or state is CustomerState.CLEAR:
            raise InvalidValue(
                f"the state of stage {self.name!r} must be one of "
                f"{', '.join(each for each in CustomerState if each.severity)}, not "
                f"{shown_value(state)}",
                argument="state",
            )
        if self.fee is not None and self.fee.minor <= 0:
            raise InvalidValue(f"the fee of stage {self.name!r} must be positive", argument="fee")


STAGES: Final = (
    Stage(name="w1", after=1, gap=0, state=CustomerState.WARNED, notice="overdue"),
    Stage(name="w2", after=7, gap=3, state=CustomerState.WARNED, notice="overdue_again"),
    Stage(name="limit", after=14, gap=5, state=CustomerState.LIMITED, notice="limited"),
    Stage(name="suspend", after=21, gap=5, state=CustomerState.SUSPENDED, notice="suspended"),
    Stage(name="terminate", after=60, gap=14, state=CustomerState.TERMINATED, notice="terminated"),
)
"""The stages of a campaign unless the host names others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """
    When customers who do not pay are reminded, limited, suspended and terminated.

    - `stages` follow one another, at most one a day.
    - A campaign runs while at least a threshold is overdue in a currency: the one in `thresholds`,
      or 5 of its units.
    - With `business_days`, the stages that suspend and terminate wait for the next banking day by
      `calendar` and `holidays`.
    - A customer can promise to pay `promises` times in one episode, for at most `promise_days`.
    - Money that comes back within `resumed_within` days of the end of an episode resumes it.
    - `sweep_at` is the time of day in the customer's zone before which nothing happens.
    - With ``enabled=False``, the worker and `work_due` do no sweeps.
    """

    enabled: bool = True
    stages: tuple[Stage, ...] = STAGES
    thresholds: tuple[Money, ...] = ()
    business_days: bool = False
    calendar: BankCalendar = BankCalendar.NONE
    holidays: frozenset[date] = frozenset()
    promises: int = 2
    promise_days: int = 30
    resumed_within: int = 60
    sweep_at: time = time(9)

    def __post_init__(self) -> None:
        if not 1 <= len(self.stages) <= _STAGES_MAX:
            raise InvalidValue(
                f"a campaign has 1 to {_STAGES_MAX} stages, not {len(self.stages)}",
                argument="stages",
            )
        if len({each.name for each in self.stages}) < len(self.stages):
            raise InvalidValue("two stages have one name", argument="stages")
        for before, stage in zip(self.stages, self.stages[1:], strict=False):
            if stage.after <= before.after:
                raise InvalidValue(
                    f"stage {stage.name!r} comes {stage.after} days after the due date, which is "
                    f"not later than {before.after} of {before.name!r} before it; name the stages "
                    "in the order of their days",
                    argument="stages",
                )
            if stage.gap < 1:
                raise InvalidValue(
                    f"stage {stage.name!r} needs a gap of at least one day to {before.name!r}",
                    argument="stages",
                )
            if stage.state.severity < before.state.severity:
                raise InvalidValue(
                    f"stage {stage.name!r} leads to {stage.state}, which is better than "
                    f"{before.state} of {before.name!r} before it",
                    argument="stages",
                )
        if len({each.currency for each in self.thresholds}) < len(self.thresholds):
            raise InvalidValue("two thresholds are of one currency", argument="thresholds")
        for argument, most in (("promises", 20), ("promise_days", 366), ("resumed_within", 366)):
            number = cast("object", getattr(self, argument))
            if type(number) is not int or not 0 <= number <= most:
                raise InvalidValue(
                    f"{argument} must be 0 to {most}, not {shown_value(number)}", argument=argument
                )

    def threshold(self, currency: str) -> int:
        """Return the smallest overdue amount for which it runs, in minor units."""
        for each in self.thresholds:
            if each.currency == currency:
                return max(1, each.minor)
        return Money.of(currency, _MAJOR).minor

    def moved(self, stage: Stage, day: date) -> date:
        """Return the day on which *stage* comes if it could come on *day*: a later banking day."""
        if self.business_days and stage.state.severity >= CustomerState.SUSPENDED.severity:
            return banking_day_from(day, self.calendar, self.holidays)
        return day

    def reached(self, done: int) -> CustomerState:
        """Return the state after the first *done* stages."""
        return self.stages[done - 1].state if done else CustomerState.CLEAR

    @property
    def version(self) -> str:
        """Twelve characters that change with everything that the campaign says."""
        return hashlib.sha256(self.text().encode()).hexdigest()[:12]

    def text(self) -> str:
        """Return the campaign as JSON, always the same for the same campaign."""
        return json.dumps(
            {
                "stages": [
                    {
                        "name": each.name,
                        "after": each.after,
                        "gap": each.gap,
                        "state": each.state,
                        "notice": each.notice,
                        "fee": None if each.fee is None else [each.fee.currency, each.fee.minor],
                    }
                    for each in self.stages
                ],
                "thresholds": sorted([each.currency, each.minor] for each in self.thresholds),
                "business_days": self.business_days,
                "calendar": self.calendar,
                "holidays": sorted(each.isoformat() for each in self.holidays),
                "promises": self.promises,
                "promise_days": self.promise_days,
                "resumed_within": self.resumed_within,
                "sweep_at": self.sweep_at.isoformat(),
            },
            sort_keys=True,
            separators=(",", ":"),
        )

    @classmethod
    def read(cls, text: str) -> Self:
        """
        Return the campaign whose `text` is *text*; what it leaves out has its default.

        Raises `InvalidValue` for a name, a state or a value that no campaign has.
        """
        try:
            found = json.loads(text)
            return cls(**_fields(found))
        except InvalidValue:
            raise
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InvalidValue(
                f"this is not a campaign: {shown(str(error))}", argument="text"
            ) from None


def _fields(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _READERS.get(name, _as_it_is)(value) for name, value in found.items()}


def _as_it_is(value: Any) -> Any:
    return value


def _stages(value: list[Any]) -> tuple[Stage, ...]:
    return tuple(_stage(each) for each in value)


def _amounts(value: list[Any]) -> tuple[Money, ...]:
    return tuple(Money(*each) for each in value)


def _dates(value: list[str]) -> frozenset[date]:
    return frozenset(date.fromisoformat(each) for each in value)


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "stages": _stages,
    "thresholds": _amounts,
    "calendar": BankCalendar,
    "holidays": _dates,
    "sweep_at": time.fromisoformat,
}


def _stage(found: Mapping[str, Any]) -> Stage:
    fee = found.get("fee")
    fields: dict[str, Any] = {
        **found,
        "state": CustomerState(found["state"]),
        "fee": None if fee is None else Money(*fee),
    }
    return Stage(**fields)
