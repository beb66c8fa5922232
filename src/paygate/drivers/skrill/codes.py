"""Skrill's codes and ours as tables."""

from __future__ import annotations

import re
from typing import Final

from paygate.driver import SCALES, Amounts, Cause, DeclineCode, RejectCause, by_word

SESSION: Final = re.compile(r"[0-9a-f]{32}")
"""The form of a session, of a payment page or of a refund."""

ID: Final = re.compile(r"[0-9A-Za-z]{1,30}")
"""The form of Skrill's own id of a transaction."""

# The currencies in the gateway guide of 2012 that still exist. How Skrill writes the three-decimal
# ones (JOD, OMR, TND) is published nowhere.
_CURRENCIES: Final = (
    "AED AUD CAD CHF CZK DKK EUR GBP HKD HUF ILS INR ISK JPY KRW MAD MYR NOK NZD PLN QAR RON RSD "
    "SAR SEK SGD THB TRY TWD USD ZAR"
)
AMOUNTS: Final = Amounts("Skrill", {each: SCALES[each] for each in _CURRENCIES.split(" ")})

PAID, PENDING, SCHEDULED, CANCELED, FAILED, CHARGED_BACK = "2", "0", "1", "-1", "-2", "-3"
"""The `status` of a transaction."""

DECLINES: Final = by_word(
    {
        (DeclineCode.INSUFFICIENT_FUNDS, True): "05",
        (DeclineCode.LIMIT_EXCEEDED, True): "08 10 11 31",
        (DeclineCode.TRY_AGAIN_LATER, True): "44 51",
        (DeclineCode.EXPIRED_METHOD, False): "24",
        (DeclineCode.INVALID_METHOD, False): "12 13 19 45",
        (DeclineCode.INVALID_SECURITY_CODE, False): "32",
        (DeclineCode.LOST_OR_STOLEN, False): "03 28",
        (DeclineCode.NOT_PERMITTED, False): "35 37 42 58 63",
        (DeclineCode.FRAUD_SUSPECTED, False): "34 38 80",
        (DeclineCode.AUTHENTICATION_FAILED, False): "07 69 70",
        (DeclineCode.DUPLICATE, False): "15",
    }
)
"""Our code, and whether to try again, by `failed_reason_code`; any other reason is generic."""

_CAUSES: Final = by_word(
    {
        (RejectCause.CREDENTIALS, False): "LOGIN_INVALID CANNOT_LOGIN",
        (RejectCause.PERMISSION, False): "PAYMENT_DENIED",
        (RejectCause.STATE, False): "ALREADY_REFUNDED",
        (RejectCause.STATE, True): "BALANCE_NOT_ENOUGH",
    }
)


def cause_of(code: str) -> Cause | None:
    """Return why Skrill refuses; None if its code does not say that nothing was done."""
    if code.startswith(("INVALID_", "MISSING_", "BAD_")):
        return RejectCause.VALIDATION, False
    return _CAUSES.get(code)
