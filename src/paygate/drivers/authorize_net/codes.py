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

OTHER_DECLINE: Final = (DeclineCode.GENERIC, False)


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
    (RejectCause.STATE, "the transaction does not exist"): "15 16 319",
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


def before_money(code: str) -> RefusedCode:
    """Return what *code*, which is in no table of refusals, means for a call that moves none."""
    unsettled = code in UNKNOWN
    cause = RejectCause.UNAVAILABLE if unsettled else RejectCause.VALIDATION
    return RefusedCode(cause=cause, retryable=unsettled, why=doubt_of(code))


TURNED_AWAY: Final = RefusedCode(
    cause=RejectCause.RATE_LIMIT, retryable=True, why="turned away: too many calls"
)
"""What the status 429 means, which comes without a code."""


DUPLICATES: Final = frozenset({"11", "318"})
"""The same transaction was there before."""

DONE_BEFORE: Final = frozenset({"310", "311"})
"""It was voided, or captured, before; they come with the response code of an approval."""

PARTLY: Final = "295"
EXISTS: Final = "E00039"
NOTHING_FOUND: Final = "E00040"
NO_RECORDS: Final = "I00004"
EMPTY: Final = frozenset({NO_RECORDS, NOTHING_FOUND})
"""What a list without entries may be answered with."""

# --- What was checked besides the card number ---------------------------------------------------

_PASS, _FAIL, _UNAVAILABLE = CheckResult.PASS, CheckResult.FAIL, CheckResult.UNAVAILABLE
_UNCHECKED: Final = CheckResult.UNCHECKED

# What a letter says, and what it means for the street and for the postal code.
_AVS: Final[dict[str, tuple[str, CheckResult, CheckResult]]] = {
    "A": ("street matches, postal code does not", _PASS, _FAIL),
    "B": ("no address was given", _UNCHECKED, _UNCHECKED),
    "E": ("the check failed", _UNAVAILABLE, _UNAVAILABLE),
    "G": ("the card is from outside of the United States", _UNAVAILABLE, _UNAVAILABLE),
    "N": ("neither matches", _FAIL, _FAIL),
    "P": ("does not apply", _UNCHECKED, _UNCHECKED),
    "R": ("not available, try again", _UNAVAILABLE, _UNAVAILABLE),
    "S": ("the issuer does not check", _UNAVAILABLE, _UNAVAILABLE),
    "U": ("not available", _UNAVAILABLE, _UNAVAILABLE),
    "W": ("nine-digit postal code matches, street does not", _FAIL, _PASS),
    "X": ("street and nine-digit postal code match", _PASS, _PASS),
    "Y": ("street and five-digit postal code match", _PASS, _PASS),
    "Z": ("five-digit postal code matches, street does not", _FAIL, _PASS),
}

_CVV: Final[dict[str, tuple[str, CheckResult]]] = {
    "M": ("matches", _PASS),
    "N": ("does not match", _FAIL),
    "P": ("was not checked", _UNCHECKED),
    "S": ("should be on the card, and was not given", _UNCHECKED),
    "U": ("the issuer does not check", _UNAVAILABLE),
}

_CAVV: Final[dict[str, tuple[str, CheckResult]]] = {
    "0": ("not checked, the data was wrong", _UNAVAILABLE),
    "1": ("failed", _FAIL),
    "2": ("passed", _PASS),
    "3": ("passed, as an attempt", _PASS),
    "4": ("failed, as an attempt", _FAIL),
    "5": ("reserved", _UNAVAILABLE),
    "6": ("reserved", _UNAVAILABLE),
    "7": ("failed, as an attempt, issuer of the United States", _FAIL),
    "8": ("passed, as an attempt, issuer of the United States", _PASS),
    "9": ("failed, the issuer's service was not available", _FAIL),
    "A": ("passed, the issuer's service was not available", _PASS),
    "B": ("passed, for information only: the liability does not shift", _PASS),
}

AVS: Final = {letter: said for letter, (said, *_) in _AVS.items()}
"""The address, ``avsResultCode``."""

CVV: Final = {letter: said for letter, (said, _) in _CVV.items()}
"""The security code, ``cvvResultCode``."""

CAVV: Final = {letter: said for letter, (said, _) in _CAVV.items()}
"""The payer's authentication (3-D Secure), ``cavvResultCode``."""


def checks_of(avs: str, cvv: str, cavv: str) -> CardChecks | None:
    """Return what was checked, by the letters of an answer; None if it has none.

    What a letter leaves open, or is not in the tables, could not be checked.
    """
    if not (avs or cvv or cavv):
        return None
    unknown = _UNAVAILABLE if avs else _UNCHECKED
    _, street, postal_code = _AVS.get(avs, ("", unknown, unknown))
    return CardChecks(
        address=CardCheck(street, avs),
        postal_code=CardCheck(postal_code, avs),
        security_code=_check(_CVV, cvv),
        authentication=_check(_CAVV, cavv),
    )


def _check(table: dict[str, tuple[str, CheckResult]], letter: str) -> CardCheck:
    unknown = _UNAVAILABLE if letter else _UNCHECKED
    return CardCheck(table.get(letter, ("", unknown))[1], letter)


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

_FURTHEST: Final = (TAKEN_BACK, SETTLED, CAPTURED, AUTHORIZED, HELD)

RANKS: Final = {state: rank for rank, states in enumerate(_FURTHEST) for state in states}
"""Of two transactions of one name the one that got further counts: a decline, then a payment."""

NOWHERE: Final = len(_FURTHEST)
"""The rank of what came to nothing."""
