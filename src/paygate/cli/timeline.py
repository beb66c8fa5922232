"""A payment's history as a timeline: requests, money moved, allocations, and events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from paygate.cli import show
from paygate.domain.currency import SCALES
from paygate.domain.money import Money
from paygate.printing import printable_lines

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from paygate.domain.allocation import Allocation
    from paygate.domain.attempt import Attempt
    from paygate.domain.event import Event
    from paygate.domain.receipt import Receipt
    from paygate.service.history import History

_ORDER: Final = ("attempt", "receipt", "allocation", "event")
"""The order of lines with the same time; only `payment.started` precedes them all."""

_STARTED: Final = "payment.started"

_WIDTH_AT: Final = len("2026-12-01 12:00:00")
_WIDTH_SORT: Final = max(map(len, _ORDER))

_SAID_ELSEWHERE: Final = frozenset({"payment", "customer", "account", "kind", "status"})
_MINOR: Final = "_minor"
_OF_AMOUNT: Final = frozenset({"amount_minor", "currency"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One line of the timeline: its time, the sort of record (see `_ORDER`), and the text."""

    at: datetime
    sort: str
    text: str


def moments(of: History) -> list[Moment]:
    """Return everything about a payment in the order in which it was stored."""
    lines = [
        *(_asked(attempt) for attempt in of.attempts),
        *(_moved(receipt) for receipt in of.receipts),
        *(_put(allocation, of.numbers[allocation.invoice]) for allocation in of.allocations),
        *(_told(event) for event in of.events if event.type not in (_STARTED, "receipt.booked")),
    ]
    # Sorting is stable: events stay in the order of their numbers.
    lines.sort(key=lambda moment: _ORDER.index(moment.sort))
    started = [_told(event) for event in of.events if event.type == _STARTED]
    return sorted([*started, *lines], key=lambda moment: moment.at)


def write(of: list[Moment]) -> None:
    """Write a timeline; each time is written once, and no word is broken."""
    from rich.text import Text

    out = show.console()
    out.print(Text(f"{'Date':{_WIDTH_AT}}  {'':{_WIDTH_SORT}}  What", style="dim"))
    before = ""
    for moment in of:
        at = moment.at.isoformat(sep=" ", timespec="seconds").removesuffix("+00:00")
        start = f"{'' if at == before else at:{_WIDTH_AT}}  {moment.sort:{_WIDTH_SORT}}  "
        what = show.folding(printable_lines(moment.text), show.prose_width(len(start)))
        out.print(Text(start + what.replace("\n", "\n" + " " * len(start))))
        before = at


def _asked(attempt: Attempt) -> Moment:
    why = attempt.reason or attempt.code
    facts = [
        f"{show.words(attempt.operation)} {show.amount(attempt.amount)}",
        # The line is at the time of the request, when the outcome was not known yet.
        f"now {show.words(attempt.state)}" + (f": {why}" if why else ""),
        attempt.reference,
        _asked_next(attempt),
        "needs review" if attempt.needs_review else "",
    ]
    return Moment(at=attempt.created_at, sort="attempt", text=_joined(facts))


def _asked_next(attempt: Attempt) -> str:
    """Return when recovery next asks about an attempt in doubt; until then it holds its items."""
    if not attempt.state.in_doubt or attempt.next_check_at is None:
        return ""
    due = f"{attempt.next_check_at:%Y-%m-%d %H:%M} UTC"
    return f"'paygate payment recover' asks about it from {due} on"


def _moved(receipt: Receipt) -> Moment:
    facts = [
        f"{_signed(receipt.amount, inward=receipt.kind.inward)} by {show.words(receipt.kind)}",
        f"counts on {receipt.effective}" if receipt.effective != receipt.booked_at.date() else "",
        f"awaits settlement of {show.amount(receipt.awaiting)}" if receipt.awaiting.minor else "",
        _settled(receipt),
        receipt.movement_id,
    ]
    return Moment(at=receipt.booked_at, sort="receipt", text=_joined(facts))


def _settled(receipt: Receipt) -> str:
    """Return what of a receipt reached us, when, and what it cost."""
    if receipt.settled is None:
        return "" if receipt.fee is None else f"fee {show.amount(receipt.fee)}"
    on = "" if receipt.settled_on is None else f" on {receipt.settled_on}"
    fee = "" if receipt.fee is None else f", fee {show.amount(receipt.fee)}"
    return f"settled {show.amount(receipt.settled)}{on}{fee}"


def _put(allocation: Allocation, number: str) -> Moment:
    source = "credit" if allocation.receipt is None else ""
    where = f"off {number}" if allocation.amount.minor < 0 else f"on {number}"
    facts = [f"{show.amount(_without_sign(allocation.amount))} {where}", source]
    return Moment(at=allocation.booked_at, sort="allocation", text=_joined(facts))


def _told(event: Event) -> Moment:
    said = [
        _fact(name, value, event.data)
        for name, value in event.data.items()
        if value and name not in _SAID_ELSEWHERE | _OF_AMOUNT and not _is_currency(name, event.data)
    ]
    by = "" if event.actor in ("", "host") else f"by {event.actor}"
    return Moment(at=event.occurred_at, sort="event", text=_joined([event.type, *said, by]))


def _fact(name: str, value: object, data: Mapping[str, object]) -> str:
    """Return one fact of an event as text: an amount with its currency, a list without brackets."""
    stem = name.removesuffix(_MINOR)
    currency = data.get(f"{stem}_currency", data.get("currency"))
    if name.endswith(_MINOR) and type(value) is int and currency in SCALES:
        return f"{show.words(stem)} {show.amount(Money(str(currency), value))}"
    return f"{show.words(name)} {_plain(value)}"


def _is_currency(name: str, data: Mapping[str, object]) -> bool:
    """Return whether *name* is the currency of an amount, which is written with it."""
    return name.endswith("_currency") and f"{name.removesuffix('_currency')}{_MINOR}" in data


def _plain(value: object) -> str:
    match value:
        case dict():
            pairs = cast("dict[str, object]", value).items()
            return ", ".join(f"{show.words(name)} {_plain(each)}" for name, each in pairs)
        case list():
            return ", ".join(_plain(each) for each in cast("list[object]", value))
        case _:
            return str(value)


def _without_sign(amount: Money) -> Money:
    """Return the amount without its sign: the words say in which direction it went."""
    return -amount if amount.minor < 0 else amount


def _signed(amount: Money, *, inward: bool) -> str:
    return f"{'+' if inward else '-'}{show.amount(amount)}"


def _joined(parts: list[str]) -> str:
    return " · ".join(part for part in parts if part)
