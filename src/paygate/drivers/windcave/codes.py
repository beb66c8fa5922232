"""Windcave's codes and ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from paygate.driver import (
    CardChecks,
    ChargeReason,
    CheckResult,
    DeclineCode,
    Declined,
    by_word,
    check_of,
)

if TYPE_CHECKING:
    from paygate.driver import Fields

_PASS, _FAIL = CheckResult.PASS, CheckResult.FAIL
_UNAVAILABLE, _UNCHECKED = CheckResult.UNAVAILABLE, CheckResult.UNCHECKED

ID: Final = re.compile(r"[0-9A-Za-z]{8,64}")
SESSION: Final = re.compile(r"[0-9A-Za-z]{24,64}")
"""In all public samples a session has 32 letters and digits, a transaction or card 16."""

APPROVED: Final = "00"

# The card of UAT for each code is published; the wording of 05, 12 and 30 is that of ISO 8583.
# Windcave's full list is not public: any other code declines.
DECLINES: Final[dict[str, tuple[DeclineCode, bool]]] = {
    "05": (DeclineCode.GENERIC, False),
    "12": (DeclineCode.NOT_PERMITTED, False),
    "30": (DeclineCode.GENERIC, False),
    "51": (DeclineCode.INSUFFICIENT_FUNDS, True),
    "54": (DeclineCode.EXPIRED_METHOD, False),
    "QK": (DeclineCode.INVALID_METHOD, False),
}
"""The meaning of ReCo, and whether the card can be tried again on another day."""


def declined(said: str, text: str, *, again: bool, **facts: Any) -> Declined:
    """Return that a bank declined, for the reason that the code *said*."""
    code, retryable = DECLINES.get(said, (DeclineCode.GENERIC, False))
    return Declined(
        code=code,
        raw_code=said,
        retryable=retryable or again,
        message=text,
        **facts,
    )


UNKNOWN: Final = frozenset({"U9"})
"""The bank did not answer Windcave in time, so nobody knows."""

NO_LOGIN: Final = ("0", "invalid credentials")
"""What PxPost says, without a transaction, if it does not accept the password."""

CVC: Final = by_word({_PASS: "M", _FAIL: "N", _UNCHECKED: "P S", _UNAVAILABLE: "U"})
"""P was not processed; S should be on the card, and was not given; U: the issuer takes no part."""

STREET: Final = by_word({_PASS: "A X Y", _FAIL: "N W Z"})
POSTAL_CODE: Final = by_word({_PASS: "W X Y Z", _FAIL: "A N"})
"""The address check, by the letters of the card networks; U and others tell nothing."""

THREE_DS: Final = by_word({_PASS: "Y", _FAIL: "N R", _UNAVAILABLE: "A U"})
"""The result of 3-D Secure (EMV 3-D Secure, transStatus); A is only an attempt."""

FIRST: Final[dict[ChargeReason | None, str]] = {
    ChargeReason.RECURRING: "recurringvariableinitial",
    ChargeReason.INSTALLMENT: "installmentinitial",
    ChargeReason.UNSCHEDULED: "unscheduledcredentialonfileinitial",
}
"""The storedCardIndicator when a card is stored; credentialonfileinitial otherwise."""

LATER: Final[dict[ChargeReason | None, str]] = {
    ChargeReason.RECURRING: "recurringvariable",
    ChargeReason.INSTALLMENT: "installment",
    ChargeReason.UNSCHEDULED: "unscheduledcredentialonfile",
    ChargeReason.RESUBMISSION: "resubmission",
    ChargeReason.DELAYED: "delayedcharges",
    ChargeReason.REAUTHORIZATION: "reauthorisation",
    ChargeReason.NO_SHOW: "noshow",
}
"""The storedCardIndicator of a charge without the payer; credentialonfile with them."""


def checks_of(found: Fields) -> CardChecks | None:
    """Return the results of the checks of a transaction; None if it shows none."""
    avs, cvc = found.text("avs.avsResultCode", ""), found.text("cvc2ResultCode", "")
    status = found.text("threeds.status", "")
    if not (avs or cvc or status):
        return None
    return CardChecks(
        address=check_of(STREET, avs),
        postal_code=check_of(POSTAL_CODE, avs),
        security_code=check_of(CVC, cvc),
        authentication=check_of(THREE_DS, status),
    )
