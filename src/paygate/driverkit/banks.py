"""Bank accounts in the United States."""

from __future__ import annotations

import re
from typing import Final

from paygate.errors import InvalidValue

_ROUTING: Final = re.compile(r"(?=0*[1-9])[0-9]{9}")
_WEIGHTS: Final = (3, 7, 1, 3, 7, 1, 3, 7, 1)


def routing_number(digits: str) -> str:
    """Return an ABA routing number: nine digits, of which the last is a check digit."""
    if not _ROUTING.fullmatch(digits) or (
        sum(int(digit) * weight for digit, weight in zip(digits, _WEIGHTS, strict=True)) % 10
    ):
        raise InvalidValue(
            "the routing number is not valid: it has nine digits, and the last is a check digit; "
            "ask the payer to read it again from a check"
        )
    return digits
