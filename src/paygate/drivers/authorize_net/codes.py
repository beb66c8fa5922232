"""Authorize.Net's codes and ours, as tables.

A transaction is answered with a response code (approved, declined, error, held)
and a reason; a call that became no transaction with a message code (``E00007``).
What is in no table was refused because of the request.
"""

from __future__ import annotations

from typing import Final

from paygate.domain.outcome import DeclineCode, RejectCause

# --- Declines -----------------------------------------------------------------------

_SOFT: Final[dict[DeclineCode, str]] = {
    DeclineCode.GENERIC: "2 3",
    DeclineCode.INSUFFICIENT_FUNDS: "295",
}

_HARD: Final[dict[DeclineCode, str]] = {
    DeclineCode.GENERIC: "141 145 191",
    DeclineCode.LOST_OR_STOLEN: "4",
    DeclineCode.INVALID_METHOD: "6 9 37 101 315",
    DeclineCode.NO_ACCOUNT: "10",
    DeclineCode.EXPIRED_METHOD: "7 8 316 317",
    DeclineCode.NOT_PERMITTED: "17 28 244",
    DeclineCode.INVALID_ADDRESS: "27 127",
    DeclineCode.INVALID_SECURITY_CODE: "44 45 65 78 165",
    DeclineCode.FRAUD_SUSPECTED: "41 250 251 254",
    DeclineCode.LIMIT_EXCEEDED: "49",
    DeclineCode.DUPLICATE: "11 318",
}

DECLINES: Final[dict[str, tuple[DeclineCode, bool]]] = {
    raw: (code, retryable)
    for table, retryable in ((_SOFT, True), (_HARD, False))
    for code, raws in table.items()
    for raw in raws.split()
}
"""Our code, and whether the same method may be tried again some other day, by their reason."""


def decline_of(reason: str) -> tuple[DeclineCode, bool]:
    """Tell our code for *reason*, and whether the same method may be tried again."""
    return DECLINES.get(reason, (DeclineCode.GENERIC, False))


# --- Refused requests -----------------------------------------------------------------

_REFUSALS: Final[dict[tuple[RejectCause, bool], str]] = {
    (RejectCause.CREDENTIALS, False): "13 E00005 E00006 E00007 E00008 E00123 E00124",
    (RejectCause.PERMISSION, False): """
        18 24 29 30 31 34 35 38 43 56 90 103 114 115 123 124 130 154 155 170 171 172 173 289 300
        E00009 E00010 E00011 E00044 E00059 E00064 E00118 E00122 E00126 E00139
    """,
    (RejectCause.UNAVAILABLE, True): """
        19 20 21 22 23 25 26 57 58 59 60 61 62 63 131 132 180 181 192 261 901
        E00001 E00053 E00104 E00133
    """,
    (RejectCause.METHOD_GONE, False): "E00040 E00098 E00110 E00115",
    (RejectCause.STATE, False): """
        15 16 36 47 48 50 51 54 55 64 175 260 304 308 319 327 E00105 E00106 E00107
    """,
}

REJECTS: Final[dict[str, tuple[RejectCause, bool]]] = {
    raw: cause for cause, raws in _REFUSALS.items() for raw in raws.split()
}
"""Why a request was refused, and whether it may be made again; others are wrong in themselves."""


def reject_of(code: str) -> tuple[RejectCause, bool]:
    """Tell why a request was refused with *code*, and whether it may be made again."""
    return REJECTS.get(code, (RejectCause.VALIDATION, False))


UNKNOWN: Final = frozenset(
    {"0", "52", "120", "121", "122", "152", "E00049", "E00062", "E00063", "E00078"}
)
"""Time ran out somewhere behind Authorize.Net: nobody can tell from the answer what happened."""

DUPLICATES: Final = frozenset({"11", "318"})
"""The same transaction was there before."""

DONE_BEFORE: Final = frozenset({"310", "311"})
"""It was voided, or captured, before; they come with the response code of an approval."""

PARTLY: Final = "295"
EXISTS: Final = "E00039"
NOTHING_FOUND: Final = "E00040"
NO_RECORDS: Final = "I00004"

# --- What was checked beside the card number ----------------------------------------------------

AVS: Final[dict[str, str]] = {
    "A": "street matches, postal code does not",
    "B": "no address was given",
    "E": "the check failed",
    "G": "the card is from outside of the United States",
    "N": "neither matches",
    "P": "does not apply",
    "R": "not available, try again",
    "S": "the issuer does not check",
    "U": "not available",
    "W": "nine-digit postal code matches, street does not",
    "X": "street and nine-digit postal code match",
    "Y": "street and five-digit postal code match",
    "Z": "five-digit postal code matches, street does not",
}
"""The address, ``avsResultCode``."""

CVV: Final[dict[str, str]] = {
    "M": "matches",
    "N": "does not match",
    "P": "was not checked",
    "S": "should be on the card, and was not given",
    "U": "the issuer does not check",
}
"""The security code, ``cvvResultCode``."""

CAVV: Final[dict[str, str]] = {
    "0": "not checked, the data was wrong",
    "1": "failed",
    "2": "passed",
    "3": "passed, as an attempt",
    "4": "failed, as an attempt",
    "5": "reserved",
    "6": "reserved",
    "7": "failed, as an attempt, issuer of the United States",
    "8": "passed, as an attempt, issuer of the United States",
    "9": "failed, the issuer's service was not available",
    "A": "passed, the issuer's service was not available",
    "B": "passed, for information only: the liability does not shift",
}
"""The payer's authentication (3-D Secure), ``cavvResultCode``."""

# --- What a transaction is now -----------------------------------------------------------------

HELD: Final = frozenset(
    {"FDSPendingReview", "FDSAuthorizedPendingReview", "underReview", "approvedReview"}
)
"""Somebody at the merchant must decide."""

AUTHORIZED: Final = frozenset({"authorizedPendingCapture", "authorizedPendingRelease"})

CAPTURED: Final = frozenset(
    {
        "capturedPendingSettlement",
        "pendingSettlement",
        "pendingFinalSettlement",
        "updatingSettlement",
        "refundPendingSettlement",
    }
)
"""On its way to the next settlement."""

SETTLED: Final = frozenset({"settledSuccessfully", "refundSettledSuccessfully"})

TAKEN_BACK: Final = frozenset({"returnedItem", "chargeback", "chargebackReversal"})
"""It had settled; then the payer's bank took the money back."""

FAILED: Final = frozenset({"declined", "generalError", "communicationError", "failedReview"})
"""No money came, and none will."""

FURTHEST: Final = (TAKEN_BACK, SETTLED, CAPTURED, AUTHORIZED, HELD)
"""Of two transactions of one name the one that got further counts: a decline, then a payment."""
