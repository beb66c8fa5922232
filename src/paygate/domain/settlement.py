"""Settlement: when accepted money reached us, and what the processor kept of it.

A processor may tell this once or often, in parts, late, or together with the
movement itself. The larger part told is the newer news, so the order in which
it is told does not matter. What contradicts what is written is for a person.
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
    SETTLED = "settled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What is known of one movement's settlement until now.

    `settled` is what reached us (or left us, for money that went back), `fee` what
    the processor took for it, `on` the day of it. Inward, the two make up the amount.
    """

    settled: Money | None = None
    fee: Money | None = None
    on: date | None = None


NOTHING_SETTLED: Final = Settlement()


def settlement_of(movement: Movement) -> Settlement:
    """Tell what *movement* says of its settlement."""
    return Settlement(settled=movement.settled, fee=movement.fee, on=movement.settled_on)


def in_transit(movement: Movement, known: Settlement) -> int:
    """
    Tell what of *movement* stands between the processor and us, in minor units.

    It is negative for money that the processor has still to take from us. What
    settled in another currency cannot be compared, and settled whole.
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
    """Tell what *movement* adds to what is *known* of its settlement, and what contradicts it."""
    told = settlement_of(movement)
    if told.settled is None and told.fee is None:
        return None, ""
    if told.settled is None:
        if known.fee is not None:
            return None, ""  # older than what is written, or the same
        told = Settlement(settled=known.settled, fee=told.fee, on=known.on)
    elif told.fee is None:
        told = Settlement(settled=told.settled, fee=known.fee, on=told.on)
    if (told.settled, told.fee) == (known.settled, known.fee):
        return None, ""
    sign = 1 if movement.kind.inward else -1
    now, before = sign * in_transit(movement, told), sign * in_transit(movement, known)
    if told.settled is not None and now < 0:
        return None, f"movement {movement.movement_id} is told to have settled as more than it was"
    if known.settled is None:
        if _same_currency(told.fee, known.fee):
            return told, ""
    elif told.settled is not None and _same_currency(told.settled, known.settled) and now != before:
        return (told, "") if now < before else (None, "")
    return None, f"movement {movement.movement_id} is told to have settled in another way"


def _same_currency(one: Money | None, other: Money | None) -> bool:
    return one is None or other is None or one.currency == other.currency
