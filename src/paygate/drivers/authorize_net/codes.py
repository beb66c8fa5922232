"""Authorize.Net's codes and ours, as tables.

A transaction is answered with a response code (approved, declined, error, held) and a reason; a
call that became no transaction is answered with a message code (``E00007``). A code counts as a
refusal only if Authorize.Net's list of response codes says that it precedes the processing. "An
error occurred during processing" does not say that, and neither does a code that is in no table:
the money may have moved, and an inquiry must find out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from paygate.driver import (
    CardCheck,
    CardChecks,
    ChargeReason,
    CheckResult,
    DeclineCode,
    RejectCause,
    by_word,
)

if TYPE_CHECKING:
    from paygate.driver import Fields

# --- Charges without the payer --------------------------------------------------------

CHARGE_REASONS: Final[dict[ChargeReason | None, str]] = {
    ChargeReason.RESUBMISSION: "resubmission",
    ChargeReason.DELAYED: "delayedCharge",
    ChargeReason.REAUTHORIZATION: "reauthorization",
    ChargeReason.NO_SHOW: "noShow",
}
"""Their word for a charge that follows an earlier one; a series has a setting of its own."""

# --- Declines -------------------------------------------------------------------------

AGAIN, NEVER = True, False  # whether the same method may be tried again on another day

DECLINES: Final = by_word(
    {
        (DeclineCode.GENERIC, AGAIN): "2 3",
        (DeclineCode.GENERIC, NEVER): "141 145 191 215 216 217 218 219 223",
        (DeclineCode.INSUFFICIENT_FUNDS, AGAIN): "295",
        (DeclineCode.TRY_AGAIN_LATER, AGAIN): "209 214 220 224",
        (DeclineCode.LOST_OR_STOLEN, NEVER): "4",
        (DeclineCode.INVALID_METHOD, NEVER): "6 9 37 101 200 201 315",
        (DeclineCode.NO_ACCOUNT, NEVER): "10 211",
        (DeclineCode.EXPIRED_METHOD, NEVER): "7 8 316 317",
        (DeclineCode.NOT_PERMITTED, NEVER): "17 28 128 244",
        (DeclineCode.INVALID_ADDRESS, NEVER): "27 127",
        (DeclineCode.INVALID_SECURITY_CODE, NEVER): "44 45 65 78 165",
        (DeclineCode.FRAUD_SUSPECTED, NEVER): "41 250 251 254",
        (DeclineCode.LIMIT_EXCEEDED, NEVER): "49",
        (DeclineCode.DUPLICATE, NEVER): "11 222 318",
    }
)
"""Our code, and whether the same method may be tried again on another day, by their reason."""

OTHER_DECLINE: Final = (DeclineCode.GENERIC, NEVER)

WRONG_EXPIRY: Final = "201"
"""The expiry is wrong, perhaps because it has passed."""

_STAYS_HELD: Final = by_word(
    {
        "Authorize.Net declined it and could not release the hold": "127 141 145 165",
        "the bank approved it and its settlement failed": "36",
    }
)


def alert_of(reason: str, transaction: str) -> str:
    """Return what the merchant must know about a *transaction* that took no money; "" if nothing.

    The list says about these reasons that Authorize.Net's own void failed, or that the bank
    approved: no money comes, and meanwhile the cardholder cannot spend the amount.
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


@dataclass(frozen=True, slots=True)
class RefusedCode:
    """Why a request was refused before anything was done, and whether it may be made again."""

    cause: RejectCause
    why: str
    retryable: bool = False


# The list of response codes says why each was refused; this is our wording.
_REFUSED: Final = {
    RejectCause.UNAVAILABLE: {
        "turned away: too busy, or in maintenance": "901 E00053 E00104",
        "the encryption failed; it was not processed": "261",
    },
    RejectCause.CREDENTIALS: {
        "the credentials are wrong": "13 E00005 E00006 E00007 E00008 E00123 E00124"
    },
    RejectCause.PERMISSION: {
        "the call is not permitted": "123 E00010 E00011 E00044 E00059 E00064 E00122 E00126 E00139",
        "this kind of payment is not accepted": "18 56 90 124 154 155 246 289 E00083 E00084",
        "the account is closed, suspended or in Test Mode": "114 115 130 131 132 E00009",
        "the account is set up wrong at its processor": """
            24 29 30 31 34 35 38 43 170 172 173 185 204 205 206 207 208 210 212 213 221 E00135
            E00136
        """,
        "the account takes no call of this form": "97 98 99 102 103 288 300 E00118",
    },
    RejectCause.METHOD_GONE: {"the stored method or token is gone": "E00040 E00098 E00110 E00115"},
    RejectCause.STATE: {
        "the transaction does not exist": "15 16 319",
        "more than was authorized cannot be captured": "47 48",
        "the transaction cannot be refunded, or not as much": "50 51 54 55 64",
        "the transaction cannot be voided": "175 260 304 308 327",
        "it was authorized, and its settlement failed": "36",
        "a subscription uses the stored method": "E00105 E00106 E00107",
    },
    RejectCause.VALIDATION: {
        "a field of the transaction is wrong or missing": """
            5 12 33 39 40 42 53 68 69 70 71 72 73 74 75 76 77 79 80 81 84 85 86 88 89 93 94 95 96
            100 111 112 113 116 117 118 119 125 126 153 156 171 174 202 203 243 245 247 248 270 271
            290 296 297 350 351
        """,
        "the request does not fit their schema or rules": """
            E00002 E00003 E00004 E00013 E00014 E00015 E00016 E00019 E00029 E00031 E00041 E00045
            E00051 E00052 E00060 E00066 E00067 E00068 E00071 E00072 E00073 E00075 E00076 E00077
            E00082 E00085 E00088 E00089 E00090 E00091 E00092 E00093 E00095 E00108 E00109 E00119
            E00120 E00121 E00130 E00137 E00138 E00141 E00142
        """,
        "the token of Accept.js is not valid": "E00113 E00114 E00116 E00117",
        "refused as a whole, without a transaction": "E00027",
    },
}

REJECTS: Final = by_word(
    {
        RefusedCode(cause, why, retryable=cause is RejectCause.UNAVAILABLE): raws
        for cause, table in _REFUSED.items()
        for why, raws in table.items()
    }
)
"""What was refused before anything was done; a code that is not here does not say that."""

TURNED_AWAY: Final = RefusedCode(
    RejectCause.RATE_LIMIT, "turned away: too many calls", retryable=True
)
"""The meaning of status 429, which comes without a code."""

UNKNOWN: Final = by_word(
    {
        "it timed out, or a service behind Authorize.Net failed": "0 E00049 E00062 E00063 E00078",
        "an unexpected error of Authorize.Net's": "E00001 E00133",
        # The list warns of several authorizations if it is tried again meanwhile.
        "no answer of the card processor, and several authorizations if tried again: wait and "
        "look": "19 20 21 22 23",
        "the card processor's answer did not come": "25 26",
        "the card processor's answer could not be read": "57 58 59 60 61 62 63 180 192",
        "it was authorized, and is to be voided by Authorize.Net": "52",
        "Authorize.Net failed to void it after an error": "120 121 122 152 181",
    }
)
"""The codes that leave open whether money moved, and what they say."""

NOT_CLASSIFIED: Final = "no code that is known to mean a refusal"


def before_money(code: str) -> RefusedCode:
    """Return what *code* means for a call that moves no money."""
    if code in REJECTS:
        return REJECTS[code]
    cause = RejectCause.UNAVAILABLE if code in UNKNOWN else RejectCause.VALIDATION
    return RefusedCode(cause, UNKNOWN.get(code, NOT_CLASSIFIED), retryable=code in UNKNOWN)


DUPLICATES: Final = frozenset({"11", "318"})
"""The same transaction was sent before."""

DONE_BEFORE: Final = frozenset({"310", "311"})
"""It was voided or captured before; these come with the response code of an approval."""

PARTLY: Final = "295"
EXISTS: Final = "E00039"
NOT_FOUND: Final = "E00040"
NOTHING_LISTED: Final = frozenset({"I00004", NOT_FOUND})
"""The codes of a list without entries."""

# --- What was checked besides the card number -----------------------------------------

_PASS, _FAIL, _UNAVAILABLE = CheckResult.PASS, CheckResult.FAIL, CheckResult.UNAVAILABLE
_UNCHECKED: Final = CheckResult.UNCHECKED

# The meaning of each letter: in words, and for the results of the checks.
AVS: Final[dict[str, tuple[str, CheckResult, CheckResult]]] = {
    "A": ("street matches, postal code does not", _PASS, _FAIL),
    "B": ("no address was given", _UNCHECKED, _UNCHECKED),
    "E": ("the check failed", _UNAVAILABLE, _UNAVAILABLE),
    "G": ("the card was issued outside the United States", _UNAVAILABLE, _UNAVAILABLE),
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

CVV: Final[dict[str, tuple[str, CheckResult]]] = {
    "M": ("matches", _PASS),
    "N": ("does not match", _FAIL),
    "P": ("was not checked", _UNCHECKED),
    "S": ("should be on the card, and was not given", _UNCHECKED),
    "U": ("the issuer does not check", _UNAVAILABLE),
}

CAVV: Final[dict[str, tuple[str, CheckResult]]] = {
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


def checks_of(found: Fields, *paths: str) -> CardChecks | None:
    """Return the checks of the address, the security code and the authentication; None if none.

    A letter that leaves it open, or is not in the tables, says that it could not be checked.
    """
    avs, cvv, cavv = (found.text(path, "") for path in paths)
    if not (avs or cvv or cavv):
        return None
    unknown = _UNAVAILABLE if avs else _UNCHECKED
    _, street, postal_code = AVS.get(avs, ("", unknown, unknown))
    return CardChecks(
        address=CardCheck(street, avs),
        postal_code=CardCheck(postal_code, avs),
        security_code=_check(CVV, cvv),
        authentication=_check(CAVV, cavv),
    )


def _check(table: dict[str, tuple[str, CheckResult]], letter: str) -> CardCheck:
    unknown = _UNAVAILABLE if letter else _UNCHECKED
    return CardCheck(table.get(letter, ("", unknown))[1], letter)


# --- The state of a transaction --------------------------------------------------------

HELD: Final = frozenset(
    {"FDSPendingReview", "FDSAuthorizedPendingReview", "underReview", "approvedReview"}
)
"""The merchant must decide."""

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
"""It is to be settled."""

SETTLED: Final = frozenset({"settledSuccessfully", "refundSettledSuccessfully"})

DISPUTED: Final = frozenset({"chargeback", "chargebackReversal"})

TAKEN_BACK: Final = frozenset({"returnedItem"}) | DISPUTED
"""It was settled, and then the payer's bank took the money back."""

FAILED: Final = frozenset(
    {"declined", "generalError", "communicationError", "failedReview", "settlementError"}
)
"""No money came, even if it was approved before."""

_FURTHEST: Final = (TAKEN_BACK, SETTLED, CAPTURED, AUTHORIZED, HELD)

RANKS: Final = {state: rank for rank, states in enumerate(_FURTHEST) for state in states}
"""Of two transactions of one name the one that got further counts: a decline, then a payment."""

NOWHERE: Final = len(_FURTHEST)
"""The rank of a transaction that took and holds nothing."""
