"""Advice: what the card's bank or network says about charging a declined card again.

A decline says why; advice says what to do. The networks charge fees for ignoring it, so it takes
precedence over the table of declines. Mastercard sends a merchant advice code. Visa sends none:
there the code of the decline is in one of four categories.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Advice(StrEnum):
    """What the card's bank or network says about charging the same card again."""

    UPDATE = "update"
    """With new details only, such as a new number or expiry."""
    LATER = "later"
    """On another day; it does not say which."""
    AFTER_1_DAY = "after_1_day"
    """After one day."""
    AFTER_2_DAYS = "after_2_days"
    """After two days."""
    AFTER_3_DAYS = "after_3_days"
    """After three days."""
    AFTER_4_DAYS = "after_4_days"
    """After four days."""
    AFTER_6_DAYS = "after_6_days"
    """After six days."""
    AFTER_8_DAYS = "after_8_days"
    """After eight days."""
    AFTER_10_DAYS = "after_10_days"
    """After ten days."""
    NEVER = "never"
    """Never."""
    REVOKED = "revoked"
    """Never: the cardholder withdrew the authorization."""

    @property
    def retryable(self) -> bool:
        """Whether the same card can be charged again on another day."""
        return self is Advice.LATER or self in DAYS


DAYS: Final[Mapping[Advice, int]] = {
    Advice.AFTER_1_DAY: 1,
    Advice.AFTER_2_DAYS: 2,
    Advice.AFTER_3_DAYS: 3,
    Advice.AFTER_4_DAYS: 4,
    Advice.AFTER_6_DAYS: 6,
    Advice.AFTER_8_DAYS: 8,
    Advice.AFTER_10_DAYS: 10,
}
"""How many days the card rests, by the advice that names them."""

MASTERCARD: Final[Mapping[str, Advice]] = {
    "01": Advice.UPDATE,
    "02": Advice.AFTER_3_DAYS,
    "03": Advice.NEVER,
    "21": Advice.REVOKED,
    "24": Advice.AFTER_1_DAY,
    "25": Advice.AFTER_1_DAY,
    "26": Advice.AFTER_2_DAYS,
    "27": Advice.AFTER_4_DAYS,
    "28": Advice.AFTER_6_DAYS,
    "29": Advice.AFTER_8_DAYS,
    "30": Advice.AFTER_10_DAYS,
}
"""Mastercard's merchant advice codes. 24 allows an hour, but we charge a card once a day."""

VISA: Final[Mapping[str, Advice]] = {
    code: advice
    for advice, codes in (
        (Advice.NEVER, ("04", "07", "12", "14", "15", "41", "43", "46", "57")),
        (Advice.REVOKED, ("R0", "R1", "R3")),
        (Advice.LATER, ("03", "19", "39", "51", "52", "53", "59", "61", "62", "65", "75", "78")),
        (Advice.LATER, ("86", "91", "93", "96", "N3", "N4")),
        (Advice.UPDATE, ("54", "55", "6P", "70", "82", "N7")),
    )
    for code in codes
}
"""Visa's codes of a decline: category 1 (never), 2 (later) and 3 (with other details).

Acquirers publish different versions of the list; this follows the newer one. A code of category 4
says nothing, and neither does 1A, which asks for the payer.
"""


def advice_of(brand: str, advice_code: str, decline_code: str) -> Advice | None:
    """Return the advice in a network's two codes, for a card of *brand*, or None."""
    match brand:
        case "mastercard" | "maestro":
            return MASTERCARD.get(advice_code.strip())
        case "visa":
            return VISA.get(decline_code.strip().upper())
        case _:
            return None
