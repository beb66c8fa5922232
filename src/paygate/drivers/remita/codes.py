"""Remita's codes and ours as tables.

The rule of the tables: only two codes mean paid, and a code that is not listed is pending.
"""

from __future__ import annotations

import re
from typing import Final

from paygate.driver import Amounts, Cause, DeclineCode, RejectCause, by_word

AMOUNTS: Final = Amounts("Remita", {"NGN": 2})
"""Naira only, and never kobo."""

RRR: Final = re.compile(r"[0-9]{10,16}")
"""The form of a retrieval reference: today 12 digits."""

# --- The `statuscode` of a new reference ----------------------------------------------------

GENERATED: Final = "025"
EXISTS: Final = ("028", "055")
"""A reference was generated for this order before."""

CAUSES: Final[dict[str, Cause]] = by_word(
    {
        (RejectCause.CREDENTIALS, False): "013 020 033 34",
        (RejectCause.PERMISSION, False): "023 024",
        (RejectCause.VALIDATION, False): "022 029 032",
        (RejectCause.UNAVAILABLE, True): "25 998 999",
    }
)
"""Why no reference was generated; no money moves in any case."""

# --- The `status` of a reference --------------------------------------------------------------

PAID: Final = ("00", "01")
GONE: Final = ("022", "023", "026", "074")
"""The reference or the order does not exist, or the merchant's ids are wrong."""
OUR_FAULT: Final = ("013", "020", "024", "033", "34")
"""The credentials or the hash of the inquiry are wrong, which says nothing about the payment."""

TRIES: Final = by_word(
    {
        (DeclineCode.GENERIC, True): "02 012 046 059",
        (DeclineCode.INSUFFICIENT_FUNDS, True): "030",
        (DeclineCode.NO_ACCOUNT, True): "031",
    }
)
"""A try failed. The reference can still be paid, so this is never final."""

# --- The `statuscode` of a deactivation -------------------------------------------------------

DEACTIVATED: Final = "00"
