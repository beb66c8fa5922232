"""Stripe's codes and ours as tables, and what they say about cards and declines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from paygate.driver import (
    Advice,
    Amounts,
    CardCheck,
    CardChecks,
    CheckResult,
    DeclineCode,
    Declined,
    MethodFacts,
    RejectCause,
    advice_of,
    brand_of,
    by_word,
)

if TYPE_CHECKING:
    from paygate.driver import Fields

ID: Final = re.compile(r"[A-Za-z0-9_]{1,255}")
"""The form of Stripe's ids."""

ACCOUNT: Final = re.compile(r"acct_[A-Za-z0-9]{1,100}")

# --- Declines -----------------------------------------------------------------------

AGAIN, NEVER = True, False  # whether the same card may be tried again on another day

DECLINES: Final = by_word(
    {
        (DeclineCode.GENERIC, AGAIN): """
            approve_with_id call_issuer card_declined do_not_honor generic_decline no_action_taken
            payment_intent_payment_attempt_expired payment_intent_payment_attempt_failed
            payment_method_customer_decline payment_method_provider_decline reenter_transaction
            setup_attempt_failed setup_intent_setup_attempt_expired
        """,
        (DeclineCode.GENERIC, NEVER): "do_not_try_again testmode_decline",
        (DeclineCode.INSUFFICIENT_FUNDS, AGAIN): "insufficient_funds",
        (DeclineCode.LIMIT_EXCEEDED, AGAIN): """
            card_decline_rate_limit_exceeded card_velocity_exceeded withdrawal_count_limit_exceeded
        """,
        (DeclineCode.LIMIT_EXCEEDED, NEVER): "invalid_amount",
        (DeclineCode.TRY_AGAIN_LATER, AGAIN): """
            issuer_not_available payment_method_provider_timeout processing_error try_again_later
        """,
        (DeclineCode.EXPIRED_METHOD, NEVER): """
            expired_card invalid_expiry_month invalid_expiry_year
        """,
        (DeclineCode.INVALID_METHOD, NEVER): """
            incorrect_number invalid_account invalid_number new_account_information_available
            payment_method_unactivated
        """,
        (DeclineCode.INVALID_SECURITY_CODE, NEVER): """
            incorrect_cvc incorrect_pin invalid_cvc invalid_pin pin_try_exceeded
        """,
        (DeclineCode.INVALID_ADDRESS, NEVER): "incorrect_address incorrect_zip",
        # "Not handled": the confirmation left no way to ask the payer, who was not asked.
        (DeclineCode.AUTHENTICATION_REQUIRED, NEVER): """
            authentication_not_handled authentication_required offline_pin_required
            mobile_device_authentication_required online_or_offline_pin_required
        """,
        (DeclineCode.AUTHENTICATION_FAILED, NEVER): """
            payment_intent_authentication_failure setup_intent_authentication_failure
        """,
        (DeclineCode.LOST_OR_STOLEN, NEVER): "lost_card pickup_card stolen_card",
        (DeclineCode.FRAUD_SUSPECTED, NEVER): "fraudulent merchant_blacklist security_violation",
        (DeclineCode.NOT_PERMITTED, NEVER): """
            card_not_supported currency_not_supported not_permitted restricted_card
            service_not_allowed transaction_not_allowed
        """,
        (DeclineCode.DUPLICATE, NEVER): "duplicate_transaction",
        (DeclineCode.MANDATE_REVOKED, NEVER): """
            india_recurring_payment_mandate_canceled payment_intent_mandate_invalid
            revocation_of_all_authorizations revocation_of_authorization
            setup_intent_mandate_invalid stop_payment_order
        """,
    }
)
"""Our code, and whether the same card may be tried again on another day, by Stripe's code."""

ADVICE: Final = {
    "try_again_later": Advice.LATER,
    "do_not_try_again": Advice.NEVER,
    "confirm_card_data": Advice.UPDATE,
}
"""Stripe's words for the advice of the card's bank, by which it sums up those of the networks."""

VAGUE: Final = frozenset({"card_declined", "generic_decline"})
"""The codes that only say "declined"; the other code of an error is used if it says more."""

# --- Refused requests -----------------------------------------------------------------

REFUSES: Final = frozenset({"authentication_error", "invalid_request_error", "rate_limit_error"})
"""The types of error that refuse a request; older versions have the first and the last.

An ``api_error`` is documented as "any other type of problem", such as one of Stripe's servers. It
is not a refusal, whatever its status, and neither is a type that is not documented.
"""

LOCKED: Final = "lock_timeout"
"""Another request, or Stripe itself, is using the same object: this one was not begun."""

KEY_IN_USE: Final = "idempotency_key_in_use"
"""A request with the same key is still running, and its result is not known."""

CAUSES: Final = by_word(
    {
        (RejectCause.CREDENTIALS, False): """
            api_key_expired livemode_mismatch platform_api_key_expired testmode_charges_only
        """,
        (
            RejectCause.RATE_LIMIT,
            True,
        ): "lock_timeout payment_intent_rate_limit_exceeded rate_limit",
        (RejectCause.METHOD_GONE, False): "token_already_used token_in_use",
        # The object is in another state, perhaps because of an earlier request of ours.
        (RejectCause.STATE, False): """
            capture_charge_authorization_expired capture_unauthorized_payment
            charge_already_captured charge_already_refunded charge_disputed
            charge_expired_for_capture charge_not_refundable intent_invalid_state
            payment_intent_unexpected_state payment_method_unexpected_state
            refund_disputed_payment setup_intent_unexpected_state status_transition_invalid
        """,
        # The merchant's balance at Stripe is too small for a refund, and can be topped up.
        (RejectCause.STATE, True): "balance_insufficient",
    }
)
"""Why a request was refused, and whether it may be made again, by code rather than by status."""

HOLD_OVER: Final = frozenset({"capture_charge_authorization_expired", "charge_expired_for_capture"})
"""The codes of a capture after the authorization expired."""

RAN_OUT: Final = frozenset({"automatic", "expired"})
"""The reasons with which Stripe itself cancels what was not finished or captured in time."""

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
"""Our code, and whether the refund may be made again; the missing funds are the merchant's."""

REFUND_REASONS: Final = frozenset({"duplicate", "fraudulent", "requested_by_customer"})
"""The reasons that Stripe accepts for a refund; any other is kept in the metadata."""

# --- Amounts -------------------------------------------------------------------------------
# The currencies are the "presentment currencies" of https://docs.stripe.com/currencies in 2025. An
# account has fewer, depending on its country and on the card. ANG, BGN, HRK and STD are left out
# because ISO 4217 has withdrawn them, and the Ugandan shilling (UGX) because Stripe lists it among
# those without digits and also says that it is sent with two: a wrong guess charges a hundred times
# too much.
#
# Most have the digits of ISO 4217. The ariary (MGA) has two in ISO and none at Stripe, the krona
# (ISK) none in ISO and two at Stripe, which are always zero.

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
    # The third digit must be 0, and so must both of ISK.
    steps={**dict.fromkeys(_THREE_DIGITS.split(), 10), "ISK": 100},
)
"""Stripe's amounts: whole numbers, with these digits after the point."""


# --- Cards and declines -------------------------------------------------------------------

_CHECKS: Final = {
    "address": "checks.address_line1_check",
    "postal_code": "checks.address_postal_code_check",
    "security_code": "checks.cvc_check",
}
_RESULTS: Final[dict[str, CheckResult]] = {each.value: each for each in CheckResult}
"""Stripe's words for the results of checks, which are also ours."""


def checks_of(card: Fields) -> CardChecks | None:
    """Return what Stripe says was checked about a *card*; None if it says nothing."""
    found = {
        ours: CardCheck(_RESULTS.get(raw_code, CheckResult.UNAVAILABLE), raw_code)
        for ours, theirs in _CHECKS.items()
        if (raw_code := card.text(theirs, ""))
    }
    return CardChecks(**found) if found else None


def facts_of(card: Fields) -> MethodFacts | None:
    """Return what may be printed about a *card*; None if Stripe does not show it."""
    last4 = card.text("last4", "")
    if not last4:
        return None
    month, year = card.expiry()
    return MethodFacts(
        brand=brand_of(card.text("brand", "")),
        last4=last4,
        expires_month=month,
        expires_year=year,
        wallet=card.text("wallet.type", ""),
    )


def declined(error: Fields, reference: str) -> Declined:
    """Return the decline that *error* reports.

    It is final: an intent has no page on which the payer could give another card. The bank's page
    is closed, and Checkout shows a page of its own.
    """
    raw_code, card = _most_specific_code(error), error.at("payment_method.card")
    code, retryable = DECLINES.get(raw_code, (DeclineCode.GENERIC, False))
    advice = _advice_of(error, card.text("brand", ""))
    return Declined(
        code=code,
        raw_code=raw_code,
        retryable=retryable if advice is None else advice.retryable,
        message=error.text("message", ""),
        reference=reference,
        advice=advice,
        final=True,
        method_facts=facts_of(card),
        checks=checks_of(card),
    )


def _advice_of(error: Fields, brand: str) -> Advice | None:
    """Return the advice in the network's own codes, which names days, or else in Stripe's word."""

    def said(name: str) -> str:
        outcome = f"payment_intent.latest_charge.outcome.{name}"
        return error.text(name, "") or error.text(outcome, "")

    networks = advice_of(brand_of(brand), said("network_advice_code"), said("network_decline_code"))
    return networks or ADVICE.get(said("advice_code"))


def _most_specific_code(error: Fields) -> str:
    """Return the issuer's code, unless it only says "declined" and Stripe's own says more."""
    issuers, stripes = error.text("decline_code", ""), error.text("code", "")
    specific = next((each for each in (issuers, stripes) if each and each not in VAGUE), "")
    return specific or issuers or stripes or error.text("type", "")
