"""Settlement: when accepted money reached us, and what the processor kept of it.

A processor may report this once or often, in parts, late, or together with the
movement itself. The larger reported part is the newer one, so the order of the reports
does not matter. If a report contradicts the books, the payment is flagged for manual review.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import date

    from paygate.domain.money import Money
    from paygate.domain.movement import Movement


class CreditOn(StrEnum):
    """When money counts for the customer: when it was accepted, or when it reached us."""

    ACCEPTED = "accepted"
    """When the processor accepted it."""
    SETTLED = "settled"
    """When it reached us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What is known so far about the settlement of one movement.

    `settled` is what reached us (or left us, for money that went back), `fee` what
    the processor kept, `on` the day of the settlement. For money in, the two add up to the amount.
    """

    settled: Money | None = None
    fee: Money | None = None
    on: date | None = None


NOTHING_SETTLED: Final = Settlement()


def settlement_of(movement: Movement) -> Settlement:
    """Return the settlement that *movement* reports."""
    return Settlement(settled=movement.settled, fee=movement.fee, on=movement.settled_on)


def in_transit(movement: Movement, known: Settlement) -> int:
    """
    Return how much of *movement* is still between the processor and us, in minor units.

    It is negative for money that the processor has yet to take from us. A movement that
    settled in another currency cannot be compared, and counts as settled in full.
    """
    sign = 1 if movement.kind.inward else -1
    own = movement.amount.currency
    left = sign * movement.amount.minor
    if known.settled is not None:
        if known.settled.currency != own:
            return 0
        left -= sign * known.settled.minor
    if known.fee is not None and known.fee.currency == own:
        left -= known.fee.minor
    return left


def progress(movement: Movement, known: Settlement) -> tuple[Settlement | None, str]:
    """Return what *movement* adds to the *known* settlement, and how it contradicts it."""
    told = settlement_of(movement)
    if told.settled is None and told.fee is None:
        return None, ""
    if told.settled is None:
        if known.fee is not None:
            return None, ""  # older than what is stored, or the same
        told = Settlement(settled=known.settled, fee=told.fee, on=known.on)
    elif told.fee is None:
        told = Settlement(settled=told.settled, fee=known.fee, on=told.on)
    if (told.settled, told.fee) == (known.settled, known.fee):
        return None, ""
    sign = 1 if movement.kind.inward else -1
    now, before = sign * in_transit(movement, told), sign * in_transit(movement, known)
    if told.settled is not None and now < 0:
        return None, f"movement {movement.movement_id} is reported as settled beyond its amount"
    if known.settled is None:
        if _same_currency(told.fee, known.fee):
            return told, ""
    elif told.settled is not None and _same_currency(told.settled, known.settled) and now != before:
        return (told, "") if now < before else (None, "")
    return None, f"movement {movement.movement_id} is reported as settled differently"


def _same_currency(one: Money | None, other: Money | None) -> bool:
    return one is None or other is None or one.currency == other.currency
