"""Stripe's codes and ours, as tables, and what it tells of cards and declines by them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from paygate.driver import (
    Amounts,
    CardCheck,
    CardChecks,
    CheckResult,
    DeclineCode,
    Declined,
    MethodFacts,
    RejectCause,
    brand_of,
)

if TYPE_CHECKING:
    from paygate.driver import Fields

ID: Final = re.compile(r"[A-Za-z0-9_]{1,255}")
"""What Stripe's ids look like."""

# --- Declines -----------------------------------------------------------------------

_SOFT: Final[dict[DeclineCode, str]] = {
    DeclineCode.GENERIC: """
        approve_with_id call_issuer card_declined do_not_honor generic_decline no_action_taken
        payment_intent_payment_attempt_expired payment_intent_payment_attempt_failed
        payment_method_customer_decline payment_method_provider_decline reenter_transaction
        setup_attempt_failed setup_intent_setup_attempt_expired
    """,
    DeclineCode.INSUFFICIENT_FUNDS: "insufficient_funds",
    DeclineCode.LIMIT_EXCEEDED: """
        card_decline_rate_limit_exceeded card_velocity_exceeded withdrawal_count_limit_exceeded
    """,
    DeclineCode.TRY_AGAIN_LATER: """
        issuer_not_available payment_method_provider_timeout processing_error try_again_later
    """,
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
    # "Not handled" is a confirmation that left no way to ask the payer, who was not asked.
    DeclineCode.AUTHENTICATION_REQUIRED: """
        authentication_not_handled authentication_required mobile_device_authentication_required
        offline_pin_required online_or_offline_pin_required
    """,
    DeclineCode.AUTHENTICATION_FAILED: """
        payment_intent_authentication_failure setup_intent_authentication_failure
    """,
    DeclineCode.LOST_OR_STOLEN: "lost_card pickup_card stolen_card",
    DeclineCode.FRAUD_SUSPECTED: "fraudulent merchant_blacklist security_violation",
    DeclineCode.NOT_PERMITTED: """
        card_not_supported currency_not_supported not_permitted restricted_card
        service_not_allowed transaction_not_allowed
    """,
    DeclineCode.DUPLICATE: "duplicate_transaction",
    DeclineCode.MANDATE_REVOKED: """
        india_recurring_payment_mandate_canceled payment_intent_mandate_invalid
        revocation_of_all_authorizations revocation_of_authorization
        setup_intent_mandate_invalid stop_payment_order
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


VAGUE: Final = frozenset({"card_declined", "generic_decline"})
"""The codes that say "declined" and no more; whichever of an error's two codes says more counts."""

# --- Refused requests -----------------------------------------------------------------

REFUSES: Final = frozenset({"authentication_error", "invalid_request_error", "rate_limit_error"})
"""The types of error that refuse a request as it stands; older versions have the first and last.

An ``api_error`` is, by the documentation, "any other type of problem", such as one of their
servers. It refuses nothing, whatever its status, and neither does a type that is not documented.
"""

LOCKED: Final = "lock_timeout"
"""Another request, or Stripe itself, is at work on the same object: this one was not begun."""

KEY_IN_USE: Final = "idempotency_key_in_use"
"""A request under the same key is under way, and its result is not known."""

CAUSES: Final[dict[str, tuple[RejectCause, bool]]] = {
    raw: (cause, retryable)
    for cause, retryable, raws in (
        (
            RejectCause.CREDENTIALS,
            False,
            "api_key_expired livemode_mismatch platform_api_key_expired testmode_charges_only",
        ),
        (
            RejectCause.RATE_LIMIT,
            True,
            "lock_timeout payment_intent_rate_limit_exceeded rate_limit",
        ),
        (RejectCause.METHOD_GONE, False, "token_already_used token_in_use"),
        # The object is not where the request wants it: perhaps an earlier one of ours moved it.
        (
            RejectCause.STATE,
            False,
            """
            capture_charge_authorization_expired capture_unauthorized_payment
            charge_already_captured charge_already_refunded charge_disputed
            charge_expired_for_capture charge_not_refundable intent_invalid_state
            payment_intent_unexpected_state payment_method_unexpected_state
            refund_disputed_payment setup_intent_unexpected_state status_transition_invalid
            """,
        ),
        # The merchant's balance at Stripe is too small for a refund, and may be filled.
        (RejectCause.STATE, True, "balance_insufficient"),
    )
    for raw in raws.split()
}
"""Why a request was refused, and whether it may be made again, by code; it goes before status."""

HOLD_OVER: Final = frozenset({"capture_charge_authorization_expired", "charge_expired_for_capture"})
"""The codes of a capture that came after its authorisation had run out."""

RAN_OUT: Final = frozenset({"automatic", "expired"})
"""The reasons with which Stripe itself cancels what nobody finished, or captured, in time."""

# --- Refunds that failed -----------------------------------------------------------------

REFUND_FAILURES: Final[dict[str, tuple[DeclineCode, bool]]] = {
    "charge_for_pending_refund_disputed": (DeclineCode.NOT_PERMITTED, False),
    "declined": (DeclineCode.GENERIC, False),
    "expired_or_canceled_card": (DeclineCode.EXPIRED_METHOD, False),
    "insufficient_funds": (DeclineCode.INSUFFICIENT_FUNDS, True),
    "lost_or_stolen_card": (DeclineCode.LOST_OR_STOLEN, False),
    "merchant_request": (DeclineCode.GENERIC, False),
    "unknown": (DeclineCode.GENERIC, False),
}
"""Our code, and whether the refund may be made again; the funds that lack are the merchant's."""

REFUND_REASONS: Final = frozenset({"duplicate", "fraudulent", "requested_by_customer"})
"""The reasons that Stripe takes with a refund; any other is kept in the metadata."""

# --- Amounts -------------------------------------------------------------------------------
# The currencies are those of https://docs.stripe.com/currencies ("presentment currencies") of 2025.
# An account has fewer: which ones depends on its country, and on the card. Left out are ANG, BGN,
# HRK and STD, which ISO 4217 has given up since, and Uganda's shilling (UGX): Stripe lists it
# among those without digits, and says beside it that it is sent with two. A wrong guess charges a
# hundred times too much.
#
# Stripe counts most of them as ISO 4217 does. Ariary (MGA) has two digits in ISO and none at
# Stripe; krona (ISK) has none in ISO and two, always zero, at Stripe.

_TWO_DIGITS: Final = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF
    CNY COP CRC CVE CZK DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD HKD HNL HTG HUF
    IDR ILS INR ISK JMD KES KGS KHR KYD KZT LAK LBP LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR
    MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR
    SEK SGD SHP SLE SOS SRD SZL THB TJS TOP TRY TTD TWD TZS UAH USD UYU UZS WST XCD XCG YER ZAR
    ZMW
"""
_WITHOUT_DIGITS: Final = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF"
_THREE_DIGITS: Final = "BHD JOD KWD OMR TND"

AMOUNTS: Final = Amounts(
    "Stripe",
    {
        currency: digits
        for digits, currencies in ((2, _TWO_DIGITS), (0, _WITHOUT_DIGITS), (3, _THREE_DIGITS))
        for currency in currencies.split()
    },
    # A third digit must be 0, and so must ISK's two.
    steps={**dict.fromkeys(_THREE_DIGITS.split(), 10), "ISK": 100},
)
"""How Stripe counts: whole numbers, with these digits after the point."""


# --- What Stripe tells of a card ------------------------------------------------------

_CHECKS: Final = {
    "address": "checks.address_line1_check",
    "postal_code": "checks.address_postal_code_check",
    "security_code": "checks.cvc_check",
}
_RESULTS: Final[dict[str, CheckResult]] = {each.value: each for each in CheckResult}
"""Stripe's words for the results of checks, which are ours."""


def checks_of(card: Fields) -> CardChecks | None:
    """Return what Stripe says was checked of a *card*; None if it says nothing."""
    told = {ours: card.text(theirs, "") for ours, theirs in _CHECKS.items()}
    found = {
        ours: CardCheck(_RESULTS.get(raw_code, CheckResult.UNAVAILABLE), raw_code)
        for ours, raw_code in told.items()
        if raw_code
    }
    return CardChecks(**found) if found else None


def facts_of(card: Fields) -> MethodFacts | None:
    """Return what may be printed of a *card* that paid; None if Stripe does not show it."""
    if not card.text("last4", ""):
        return None
    month, year = card.expiry()
    return MethodFacts(
        brand=brand_of(card.text("brand", "")),
        last4=card.text("last4", ""),
        expires_month=month,
        expires_year=year,
        wallet=card.text("wallet.type", ""),
    )


def declined(error: Fields, reference: str) -> Declined:
    """Return the decline that *error* tells of.

    It is final: there is no page of an intent on which the payer could give another card. The
    bank's page is over, and Checkout shows its own.
    """
    raw_code, card = _why(error), error.at("payment_method.card")
    code, retryable = DECLINES.get(raw_code, (DeclineCode.GENERIC, False))
    advice = error.text("advice_code", "") or error.text(
        "payment_intent.latest_charge.outcome.advice_code", ""
    )
    return Declined(
        code=code,
        raw_code=raw_code,
        retryable=ADVICE.get(advice, retryable),
        message=error.text("message", ""),
        reference=reference,
        final=True,
        method_facts=facts_of(card),
        checks=checks_of(card),
    )


def _why(error: Fields) -> str:
    """Return the code that says most: the issuer's, unless it only says that it declined."""
    told = [error.text(name, "") for name in ("decline_code", "code", "type")]
    given = [each for each in told if each] or [""]
    return next((each for each in told[:2] if each and each not in VAGUE), given[0])
