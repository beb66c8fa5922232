"""PayPal's codes and ours as tables."""

from __future__ import annotations

import re
from typing import Final

from paygate.driver import Advice, Amounts, DeclineCode, DisputeState, RejectCause, by_word

ID: Final = re.compile(r"[A-Z0-9]{1,36}")
"""The form of the ids of orders, authorizations, captures and refunds."""

TOKEN: Final = re.compile(r"[0-9A-Za-z_-]{1,255}")
"""The form of the ids of stored wallets and of customers."""

# --- Errors, by the issue of their first detail ------------------------------------------------

AGAIN, NEVER = True, False  # whether the wallet may be tried again on another day

DECLINES: Final = by_word(
    {
        (DeclineCode.GENERIC, AGAIN): """
            DECLINED_DUE_TO_RELATED_TXN INSTRUMENT_DECLINED PAYER_CANNOT_PAY
            PAYMENT_SOURCE_CANNOT_BE_USED PAYMENT_SOURCE_DECLINED_BY_PROCESSOR
            REDIRECT_PAYER_FOR_ALTERNATE_FUNDING TRANSACTION_REFUSED
        """,
        (DeclineCode.LIMIT_EXCEEDED, AGAIN): """
            MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED TRANSACTION_LIMIT_EXCEEDED
            TRANSACTION_RECEIVING_LIMIT_EXCEEDED
        """,
        (DeclineCode.NOT_PERMITTED, NEVER): """
            COMPLIANCE_VIOLATION DOMESTIC_TRANSACTION_REQUIRED PAYEE_BLOCKED_TRANSACTION
            PAYER_ACCOUNT_RESTRICTED TRANSACTION_BLOCKED_BY_PAYEE
        """,
        (DeclineCode.ACCOUNT_CLOSED, NEVER): "PAYER_ACCOUNT_LOCKED_OR_CLOSED",
        (DeclineCode.MANDATE_REVOKED, NEVER): "AGREEMENT_ALREADY_CANCELLED",
    }
)
"""Our code, and whether the same wallet may be tried again, by issue."""

ADVICE: Final = {"01": Advice.UPDATE, "03": Advice.NEVER, "21": Advice.REVOKED}
"""The advice of the card's network. 02 is left out: Mastercard and Visa mean opposites by it."""

CHOOSE_AGAIN: Final = frozenset({"INSTRUMENT_DECLINED", "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING"})
"""Declines after which the payer may choose other funding for the same order."""

WAITING: Final = frozenset({"ORDER_NOT_APPROVED", "PAYER_ACTION_REQUIRED"})
"""The payer has not approved the order yet, or has to again."""

DONE: Final = frozenset(
    {
        "AUTHORIZATION_ALREADY_CAPTURED",
        "CAPTURE_FULLY_REFUNDED",
        "DUPLICATE_INVOICE_ID",
        "ORDER_ALREADY_AUTHORIZED",
        "ORDER_ALREADY_CAPTURED",
        "ORDER_COMPLETED_OR_VOIDED",
        "PREVIOUSLY_CAPTURED",
        "PREVIOUSLY_VOIDED",
    }
)
"""It was done before, perhaps by a request of ours whose answer was lost: look."""

UNDER_WAY: Final = frozenset({"ORDER_COMPLETION_IN_PROGRESS", "PREVIOUS_REQUEST_IN_PROGRESS"})
"""An earlier request for the same is still running, and its result is not known."""

CAUSES: Final = by_word(
    {
        (RejectCause.PERMISSION, False): """
            AUTH_CAPTURE_NOT_ENABLED CONSENT_NEEDED NOT_ENABLED_TO_VAULT_PAYMENT_SOURCE
            PAYEE_ACCOUNT_INVALID PAYEE_ACCOUNT_LOCKED_OR_CLOSED PAYEE_ACCOUNT_NOT_VERIFIED
            PAYEE_ACCOUNT_RESTRICTED PERMISSION_DENIED
        """,
        (RejectCause.VALIDATION, False): """
            AMOUNT_MISMATCH CANNOT_BE_NEGATIVE CANNOT_BE_ZERO_OR_NEGATIVE CURRENCY_MISMATCH
            DECIMALS_NOT_SUPPORTED DECIMAL_PRECISION INVALID_CURRENCY_CODE
            MAX_CAPTURE_AMOUNT_EXCEEDED MAX_VALUE_EXCEEDED REFUND_AMOUNT_EXCEEDED
            REFUND_AMOUNT_TOO_LOW REFUND_CAPTURE_CURRENCY_MISMATCH UNSUPPORTED_INTENT
        """,
        (RejectCause.METHOD_GONE, False): """
            BILLING_AGREEMENT_NOT_FOUND MISMATCHED_VAULT_ID_TO_PAYMENT_SOURCE TOKEN_EXPIRED
            TOKEN_ID_NOT_FOUND
        """,
        (RejectCause.STATE, False): """
            AUTHORIZATION_ALREADY_CAPTURED AUTHORIZATION_DENIED AUTHORIZATION_EXPIRED
            AUTHORIZATION_VOIDED CANNOT_BE_VOIDED CAPTURE_FULLY_REFUNDED DUPLICATE_INVOICE_ID
            MAX_CAPTURE_COUNT_EXCEEDED MAX_NUMBER_OF_REFUNDS_EXCEEDED ORDER_ALREADY_AUTHORIZED
            ORDER_ALREADY_CAPTURED ORDER_COMPLETED_OR_VOIDED ORDER_EXPIRED
            PARTIAL_REFUND_NOT_ALLOWED PENDING_CAPTURE PREVIOUSLY_CAPTURED PREVIOUSLY_VOIDED
            REFUND_IS_RESTRICTED REFUND_NOT_ALLOWED REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK
            REFUND_TIME_LIMIT_EXCEEDED TRANSACTION_DISPUTED
        """,
        # The merchant's balance is too small for a refund, and can be topped up.
        (RejectCause.STATE, True): "REFUND_FAILED_INSUFFICIENT_FUNDS",
    }
)
"""Why a request was refused, and whether it may be made again, by issue."""

REFUSES: Final = frozenset(
    {"AUTHENTICATION_FAILURE", "INVALID_REQUEST", "NOT_AUTHORIZED", "RESOURCE_NOT_FOUND"}
)
"""The names of errors with which PayPal itself turns a request away before it does anything."""

# --- Disputes ----------------------------------------------------------------------------------

DISPUTES: Final = by_word(
    {
        DisputeState.LOST: "ACCEPTED RESOLVED_BUYER_FAVOUR",
        # PayPal paid the payer itself, or nothing was decided against us.
        DisputeState.WON: """
            CANCELED_BY_BUYER DENIED NONE RESOLVED_SELLER_FAVOUR RESOLVED_WITH_PAYOUT
        """,
    }
)
"""The state of a dispute by the code of its outcome; without one it is open."""

DISPUTE_FEES: Final = frozenset({"CHARGEBACK_FEE", "DISPUTE_FEE", "DISPUTE_SETTLEMENT_FEE"})

# --- Rows of the transaction report --------------------------------------------------------------
# The first four characters are the group: payments, refunds and reversals, chargebacks, holds.

PAID, REFUNDED = "T00", "T1107"
TAKEN: Final = ("T1106", "T12")
"""What PayPal or a bank took back: a dispute says which, and what became of it."""

# --- Amounts -------------------------------------------------------------------------------------
# The currencies of https://developer.paypal.com/api/rest/reference/currency-codes/ in 2026. Three
# have no digits at PayPal; HUF and TWD have two in ISO 4217. The ruble, an old entry, is left out.

_TWO_DIGITS: Final = """
    AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD ILS MXN MYR NOK NZD PHP PLN SEK SGD THB USD
"""

AMOUNTS: Final = Amounts(
    "PayPal", {**dict.fromkeys(_TWO_DIGITS.split(), 2), **dict.fromkeys(("HUF", "JPY", "TWD"), 0)}
)
"""PayPal's amounts: texts with a point, with these digits after it."""
