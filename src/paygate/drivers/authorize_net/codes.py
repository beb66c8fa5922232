"""Authorize.Net's codes and ours, as tables.

A transaction is answered with a response code (approved, declined, error, held)
and a reason; a call that became no transaction with a message code (``E00007``).
A code counts as a refusal only if Authorize.Net's list of response codes explains
it as one that precedes the processing. "An error occurred during processing"
explains nothing of the kind, and neither does a code that is in no table: the
money may have moved, and an inquiry must find out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from paygate.driver import (
    CardCheck,
    CardChecks,
    ChargeReason,
    CheckResult,
    DeclineCode,
    RejectCause,
)

# --- Charges without the payer --------------------------------------------------------

CHARGE_REASONS: Final[dict[ChargeReason | None, str]] = {
    ChargeReason.RESUBMISSION: "resubmission",
    ChargeReason.DELAYED: "delayedCharge",
    ChargeReason.REAUTHORIZATION: "reauthorization",
    ChargeReason.NO_SHOW: "noShow",
}
"""What a charge is called that follows an earlier one; a series has a setting of its own."""

# --- Declines -----------------------------------------------------------------------

_SOFT: Final[dict[DeclineCode, str]] = {
    DeclineCode.GENERIC: "2 3",
    DeclineCode.INSUFFICIENT_FUNDS: "295",
    DeclineCode.TRY_AGAIN_LATER: "209 214 220 224",
}

_HARD: Final[dict[DeclineCode, str]] = {
    DeclineCode.GENERIC: "141 145 191 215 216 217 218 219 223",
    DeclineCode.LOST_OR_STOLEN: "4",
    DeclineCode.INVALID_METHOD: "6 9 37 101 200 201 315",
    DeclineCode.NO_ACCOUNT: "10 211",
    DeclineCode.EXPIRED_METHOD: "7 8 316 317",
    DeclineCode.NOT_PERMITTED: "17 28 128 244",
    DeclineCode.INVALID_ADDRESS: "27 127",
    DeclineCode.INVALID_SECURITY_CODE: "44 45 65 78 165",
    DeclineCode.FRAUD_SUSPECTED: "41 250 251 254",
    DeclineCode.LIMIT_EXCEEDED: "49",
    DeclineCode.DUPLICATE: "11 222 318",
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


WRONG_EXPIRY: Final = "201"
"""The expiry is wrong; whether it is because it has passed is not said."""

_HELD: Final[tuple[tuple[str, str], ...]] = (
    ("Authorize.Net declined it and could not release the hold", "127 141 145 165"),
    ("the bank approved it and its settlement failed", "36"),
)
_STAYS_HELD: Final = {raw: what for what, raws in _HELD for raw in raws.split()}


def alert_of(reason: str, transaction: str) -> str:
    """Return what the merchant must know of a *transaction* that took no money; "" if nothing.

    The list says of these reasons that Authorize.Net's own void failed, or that the bank
    approved: no money comes, and the card holder cannot spend the amount meanwhile.
    """
    what = _STAYS_HELD.get(reason)
    if what is None:
        return ""
    named = f"transaction {transaction}" if transaction else "the transaction"
    return (
        f"{what}: the amount may stay held on the card for weeks; void {named} in the Merchant "
        "Interface, or let Authorize.Net or the bank release it"
    )


# --- Refused requests -----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedCode:
    """Why a request was refused before anything was done, and whether it may be made again."""

    cause: RejectCause
    retryable: bool
    why: str


# Why each was refused is said by the public list of response codes; these are our words for it.
_FOR_GOOD: Final[dict[tuple[RejectCause, str], str]] = {
    (
        RejectCause.CREDENTIALS,
        "the credentials are not those of the account",
    ): "13 E00005 E00006 E00007 E00008 E00123 E00124",
    (
        RejectCause.PERMISSION,
        "the account may not make this call",
    ): "123 E00010 E00011 E00044 E00059 E00064 E00122 E00126 E00139",
    (
        RejectCause.PERMISSION,
        "the account does not take this kind of payment",
    ): "18 56 90 124 154 155 246 289 E00083 E00084",
    (
        RejectCause.PERMISSION,
        "the account is closed, suspended or in Test Mode",
    ): "114 115 130 131 132 E00009",
    (
        RejectCause.PERMISSION,
        "the account is set up wrong at its processor",
    ): """
        24 29 30 31 34 35 38 43 170 172 173 185 204 205 206 207 208 210 212 213 221 E00135 E00136
        """,
    (
        RejectCause.PERMISSION,
        "the account takes no call of this form",
    ): "97 98 99 102 103 288 300 E00118",
    (
        RejectCause.METHOD_GONE,
        "the stored method, or the token, is gone",
    ): "E00040 E00098 E00110 E00115",
    (RejectCause.STATE, "there is no such transaction"): "15 16 319",
    (RejectCause.STATE, "more than was authorised cannot be captured"): "47 48",
    (RejectCause.STATE, "the transaction cannot be refunded, or not so much"): "50 51 54 55 64",
    (RejectCause.STATE, "the transaction cannot be voided"): "175 260 304 308 327",
    (RejectCause.STATE, "it was authorised, and its settlement failed"): "36",
    (RejectCause.STATE, "a subscription uses the stored method"): "E00105 E00106 E00107",
    (RejectCause.VALIDATION, "a field of the transaction is wrong or missing"): """
        5 12 33 39 40 42 53 68 69 70 71 72 73 74 75 76 77 79 80 81 84 85 86 88 89 93 94 95 96 100
        111 112 113 116 117 118 119 125 126 153 156 171 174 202 203 243 245 247 248 270 271 290
        296 297 350 351
        """,
    (RejectCause.VALIDATION, "the request does not fit their schema or rules"): """
        E00002 E00003 E00004 E00013 E00014 E00015 E00016 E00019 E00029 E00031 E00041 E00045 E00051
        E00052 E00060 E00066 E00067 E00068 E00071 E00072 E00073 E00075 E00076 E00077 E00082 E00085
        E00088 E00089 E00090 E00091 E00092 E00093 E00095 E00108 E00109 E00119 E00120 E00121 E00130
        E00137 E00138 E00141 E00142
        """,
    (RejectCause.VALIDATION, "the token of Accept.js is not valid"): "E00113 E00114 E00116 E00117",
    (RejectCause.VALIDATION, "refused as a whole, without a transaction"): "E00027",
}

_FOR_NOW: Final[dict[tuple[RejectCause, str], str]] = {
    (RejectCause.UNAVAILABLE, "turned away: too busy, or in maintenance"): "901 E00053 E00104",
    (RejectCause.UNAVAILABLE, "the encryption failed; it was not processed"): "261",
}

REJECTS: Final[dict[str, RefusedCode]] = {
    raw: RefusedCode(cause=cause, retryable=retryable, why=why)
    for table, retryable in ((_FOR_NOW, True), (_FOR_GOOD, False))
    for (cause, why), raws in table.items()
    for raw in raws.split()
}
"""What was refused before anything was done; a code that is not here says nothing of the kind."""

_UNCERTAIN: Final[tuple[tuple[str, str], ...]] = (
    ("time ran out, or a service behind Authorize.Net failed", "0 E00049 E00062 E00063 E00078"),
    ("an unexpected error of Authorize.Net's", "E00001 E00133"),
    # The list warns of several authorisations if it is tried again meanwhile.
    (
        "no answer of the card processor, and several authorisations if tried again: wait and look",
        "19 20 21 22 23",
    ),
    ("the card processor's answer did not come", "25 26"),
    ("the card processor's answer could not be read", "57 58 59 60 61 62 63 180 192"),
    ("it was authorised, and is to be voided by Authorize.Net", "52"),
    ("Authorize.Net failed to void it after an error", "120 121 122 152 181"),
)

UNKNOWN: Final[dict[str, str]] = {raw: why for why, raws in _UNCERTAIN for raw in raws.split()}
"""Codes that do not say whether money moved, and what they do say."""

NOT_CLASSIFIED: Final = "no code that is known to mean a refusal"


def reject_of(code: str) -> RefusedCode | None:
    """Return what a refusal with *code* means, or None if the code does not mean a refusal."""
    return REJECTS.get(code)


def doubt_of(code: str) -> str:
    """Return why *code*, which is no refusal, does not say whether money moved."""
    return UNKNOWN.get(code, NOT_CLASSIFIED)


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

_PASS, _FAIL, _UNAVAILABLE = CheckResult.PASS, CheckResult.FAIL, CheckResult.UNAVAILABLE
_UNCHECKED: Final = CheckResult.UNCHECKED

# Street and postal code.
_AVS: Final[dict[str, tuple[CheckResult, CheckResult]]] = {
    "A": (_PASS, _FAIL),
    "B": (_UNCHECKED, _UNCHECKED),
    "N": (_FAIL, _FAIL),
    "P": (_UNCHECKED, _UNCHECKED),
    "W": (_FAIL, _PASS),
    "X": (_PASS, _PASS),
    "Y": (_PASS, _PASS),
    "Z": (_FAIL, _PASS),
}
_CVV: Final[dict[str, CheckResult]] = {
    "M": _PASS,
    "N": _FAIL,
    "P": _UNCHECKED,
    "S": _UNCHECKED,
}
_CAVV: Final[dict[str, CheckResult]] = {
    **dict.fromkeys("238AB", _PASS),
    **dict.fromkeys("1479", _FAIL),
}


def checks_of(avs: str, cvv: str, cavv: str) -> CardChecks | None:
    """Return what was checked, by the letters of an answer; None if it has none.

    What a letter leaves open, or is not in the tables, could not be checked.
    """
    if not (avs or cvv or cavv):
        return None
    street, postal_code = _AVS.get(avs, (_UNAVAILABLE, _UNAVAILABLE)) if avs else (_UNCHECKED,) * 2
    return CardChecks(
        address=CardCheck(street, avs),
        postal_code=CardCheck(postal_code, avs),
        security_code=CardCheck(_CVV.get(cvv, _UNAVAILABLE) if cvv else _UNCHECKED, cvv),
        authentication=CardCheck(_CAVV.get(cavv, _UNAVAILABLE) if cavv else _UNCHECKED, cavv),
    )


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

DISPUTED: Final = frozenset({"chargeback", "chargebackReversal"})

TAKEN_BACK: Final = frozenset({"returnedItem"}) | DISPUTED
"""It had settled; then the payer's bank took the money back."""

FAILED: Final = frozenset(
    {"declined", "generalError", "communicationError", "failedReview", "settlementError"}
)
"""No money came, also if it was approved before."""

FURTHEST: Final = (TAKEN_BACK, SETTLED, CAPTURED, AUTHORIZED, HELD)
"""Of two transactions of one name the one that got further counts: a decline, then a payment."""
