"""Stripe's codes and ours, as tables."""

from __future__ import annotations

from typing import Final

from paygate.driver import SCALES, CheckResult, DeclineCode, RejectCause

# --- Declines -----------------------------------------------------------------------

_SOFT: Final[dict[DeclineCode, str]] = {
    DeclineCode.GENERIC: """
        approve_with_id call_issuer card_declined do_not_honor generic_decline no_action_taken
        reenter_transaction
    """,
    DeclineCode.INSUFFICIENT_FUNDS: "insufficient_funds",
    DeclineCode.LIMIT_EXCEEDED: "card_velocity_exceeded withdrawal_count_limit_exceeded",
    DeclineCode.TRY_AGAIN_LATER: "issuer_not_available processing_error try_again_later",
}

_HARD: Final[dict[DeclineCode, str]] = {
    DeclineCode.GENERIC: "do_not_try_again testmode_decline",
    DeclineCode.LIMIT_EXCEEDED: "invalid_amount",
    DeclineCode.EXPIRED_METHOD: "expired_card invalid_expiry_month invalid_expiry_year",
    DeclineCode.INVALID_METHOD: """
        incorrect_number invalid_account invalid_number new_account_information_available
        payment_method_unactivated
    """,
    DeclineCode.INVALID_SECURITY_CODE: """
        incorrect_cvc incorrect_pin invalid_cvc invalid_pin pin_try_exceeded
    """,
    DeclineCode.INVALID_ADDRESS: "incorrect_address incorrect_zip",
    DeclineCode.AUTHENTICATION_REQUIRED: """
        authentication_required mobile_device_authentication_required offline_pin_required
        online_or_offline_pin_required
    """,
    DeclineCode.AUTHENTICATION_FAILED: """
        authentication_not_handled payment_intent_authentication_failure
    """,
    DeclineCode.LOST_OR_STOLEN: "lost_card pickup_card stolen_card",
    DeclineCode.FRAUD_SUSPECTED: "fraudulent merchant_blacklist security_violation",
    DeclineCode.NOT_PERMITTED: """
        card_not_supported currency_not_supported not_permitted restricted_card
        service_not_allowed transaction_not_allowed
    """,
    DeclineCode.DUPLICATE: "duplicate_transaction",
    DeclineCode.MANDATE_REVOKED: """
        revocation_of_all_authorizations revocation_of_authorization stop_payment_order
    """,
}

DECLINES: Final[dict[str, tuple[DeclineCode, bool]]] = {
    raw: (code, retryable)
    for table, retryable in ((_SOFT, True), (_HARD, False))
    for code, raws in table.items()
    for raw in raws.split()
}
"""Our code, and whether the same card may be tried again some other day, by Stripe's code."""

ADVICE: Final[dict[str, bool]] = {
    "try_again_later": True,
    "do_not_try_again": False,
    "confirm_card_data": False,
}
"""The issuer's own advice on trying again; it goes before our table."""


def decline_of(raw_code: str, advice: str = "") -> tuple[DeclineCode, bool]:
    """Tell our code for *raw_code*, and whether the same card may be tried again."""
    code, retryable = DECLINES.get(raw_code, (DeclineCode.GENERIC, False))
    return code, ADVICE.get(advice, retryable)


# --- Refused requests -----------------------------------------------------------------

REJECTS: Final[dict[int, tuple[RejectCause, bool]]] = {
    400: (RejectCause.VALIDATION, False),  # not acceptable, such as a missing parameter
    401: (RejectCause.CREDENTIALS, False),  # no valid key was given
    403: (RejectCause.PERMISSION, False),  # the key may not do this
    404: (RejectCause.VALIDATION, False),  # what the request is about does not exist
    429: (RejectCause.RATE_LIMIT, True),  # too many requests, so this one was turned away
}
"""Why a request was refused, and whether it may be made again, by status."""

REFUSES: Final = frozenset({"authentication_error", "invalid_request_error", "rate_limit_error"})
"""The types of error that refuse a request as it stands; older versions have the first and last.

An ``api_error`` is, by the documentation, "any other type of problem", such as one of their
servers. It refuses nothing, whatever its status, and neither does a type that is not documented.
"""

# Somebody else, or an earlier sending of ours, works on the same thing: its result is not known.
SOMEBODY_ELSE: Final = frozenset({"idempotency_key_in_use", "lock_timeout"})

CREDENTIAL_CODES: Final = frozenset(
    {"api_key_expired", "livemode_mismatch", "testmode_charges_only"}
)

STATES: Final = frozenset(
    {
        "charge_already_captured",
        "charge_already_refunded",
        "payment_intent_unexpected_state",
        "setup_intent_unexpected_state",
    }
)
"""The object is not where the request wants it: perhaps an earlier one of ours moved it."""

# --- Refunds that failed -----------------------------------------------------------------

REFUND_FAILURES: Final[dict[str, tuple[DeclineCode, bool]]] = {
    "charge_for_pending_refund_disputed": (DeclineCode.NOT_PERMITTED, False),
    "declined": (DeclineCode.GENERIC, False),
    "expired_or_canceled_card": (DeclineCode.EXPIRED_METHOD, False),
    "insufficient_funds": (DeclineCode.INSUFFICIENT_FUNDS, True),
    "lost_or_stolen_card": (DeclineCode.LOST_OR_STOLEN, False),
    "merchant_request": (DeclineCode.GENERIC, False),
}
"""Our code, and whether the refund may be made again; the funds that lack are the merchant's."""

REFUND_REASONS: Final = frozenset({"duplicate", "fraudulent", "requested_by_customer"})
"""The reasons that Stripe takes with a refund; any other is kept in the metadata."""

# --- Amounts -------------------------------------------------------------------------------
# Stripe counts most currencies as ISO 4217 does; the exceptions are these. Ariary has two
# digits in ISO and none at Stripe; krona has none in ISO and two, always zero, at Stripe.
# Uganda's shilling is left out: two pages of Stripe's disagree whether it has none or two, and a
# wrong guess charges a hundred times too much. Dinars of Iraq and Libya are not on its list.

_WITHOUT_DIGITS: Final = (
    "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split()  # noqa: SIM905
)
_THREE_DIGITS: Final = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})

DIGITS: Final[dict[str, int]] = {
    **{currency: 2 for currency, scale in SCALES.items() if scale == 2},
    **dict.fromkeys(_WITHOUT_DIGITS, 0),
    **dict.fromkeys(_THREE_DIGITS, 3),
    "ISK": 2,
}
"""Digits after the point in Stripe's amounts, by currency."""

CURRENCIES: Final = frozenset(DIGITS)

STEPS: Final[dict[str, int]] = {**dict.fromkeys(_THREE_DIGITS, 10), "ISK": 100}
"""What Stripe's amount must be a multiple of: a third digit must be 0, and ISK's two."""


# --- What was checked beside the card number ---------------------------------------------------

CHECKS: Final[dict[str, CheckResult]] = {each.value: each for each in CheckResult}
"""Stripe's words for the results of checks, which are ours."""
