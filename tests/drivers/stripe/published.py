"""What Stripe publishes: its own lists of currencies and codes, which ours are compared with."""


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


CURRENCIES = words(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BWP BYN BZD
    CAD CDF CHF CLP CNY COP CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GNF GTQ
    GYD HKD HNL HRK HTG HUF IDR ILS INR ISK JMD JOD JPY KES KGS KHR KMF KRW KWD KYD KZT LAK LBP LKR
    LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN
    PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD STD SZL THB TJS TND
    TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW
    """
)
"""Presentment currencies: docs.stripe.com/currencies, as of 2025, when XCG had come in.

Copies that name the page agree on it. Those without XCG and the three-digit currencies are older,
or of accounts outside the Emirates.
"""

# The list of codes is that of `PaymentIntent.LastPaymentError.code` in stripe-python 15.3.1 of
# 2026-07-15 (API 2026-06-24.dahlia); one list serves the whole API, so it is divided here.

OF_CARD_PAYMENTS = words(
    """
    api_key_expired authentication_required balance_insufficient
    capture_charge_authorization_expired capture_unauthorized_payment
    card_decline_rate_limit_exceeded card_declined charge_already_captured charge_already_refunded
    charge_disputed charge_expired_for_capture charge_not_refundable expired_card
    idempotency_key_in_use incorrect_address incorrect_cvc incorrect_number incorrect_zip
    india_recurring_payment_mandate_canceled insufficient_funds intent_invalid_state invalid_cvc
    invalid_expiry_month invalid_expiry_year invalid_number livemode_mismatch lock_timeout
    payment_intent_authentication_failure payment_intent_mandate_invalid
    payment_intent_payment_attempt_expired payment_intent_payment_attempt_failed
    payment_intent_rate_limit_exceeded payment_intent_unexpected_state
    payment_method_customer_decline payment_method_provider_decline payment_method_provider_timeout
    payment_method_unactivated payment_method_unexpected_state platform_api_key_expired
    processing_error rate_limit refund_disputed_payment resource_missing setup_attempt_failed
    setup_intent_authentication_failure setup_intent_mandate_invalid
    setup_intent_setup_attempt_expired setup_intent_unexpected_state status_transition_invalid
    testmode_charges_only token_already_used token_in_use
    """
)
"""Codes of what this driver asks for, whose meaning is more than that of their status."""

BY_STATUS = words(
    """
    action_blocked amount_too_large amount_too_small anomalous_money_movement_request
    approval_required balance_invalid_parameter cardholder_phone_number_required
    charge_exceeds_source_limit charge_exceeds_transaction_limit charge_invalid_parameter
    country_code_invalid country_unsupported customer_max_payment_methods email_invalid
    intent_verification_method_missing invalid_card_type invalid_characters invalid_charge_amount
    invalid_source_usage missing parameter_invalid_empty parameter_invalid_integer
    parameter_invalid_string_blank parameter_invalid_string_empty parameter_missing
    parameter_unknown parameters_exclusive payment_intent_action_required
    payment_intent_incompatible_payment_method payment_intent_invalid_parameter
    payment_method_billing_details_address_missing payment_method_configuration_failures
    payment_method_currency_mismatch payment_method_invalid_parameter
    payment_method_invalid_parameter_testmode payment_method_not_available
    payment_method_unsupported_type platform_account_required postal_code_invalid request_blocked
    resource_already_exists secret_key_required setup_intent_invalid_parameter
    setup_intent_mobile_wallet_unsupported shipping_address_invalid state_unsupported
    tls_version_unsupported token_card_network_invalid url_invalid
    """
)
"""Codes that say which field was wrong; the status of the answer says all that matters to us."""

OF_OTHERS = words(
    """
    account_closed account_country_invalid_address
    account_error_country_change_requires_additional_steps account_information_mismatch
    account_invalid account_number_invalid account_token_required_for_v2_account
    acss_debit_session_incomplete alipay_upgrade_required application_fees_not_allowed
    bank_account_bad_routing_numbers bank_account_declined bank_account_exists
    bank_account_restricted bank_account_unusable bank_account_unverified
    bank_account_verification_failed billing_invalid_mandate bitcoin_upgrade_required
    clearing_code_unsupported coupon_expired customer_max_subscriptions customer_session_expired
    customer_tax_location_invalid debit_not_authorized failed_tax_calculation
    financial_account_balance_does_not_support_currency financial_account_capability_not_enabled
    financial_account_capability_restricted financial_connections_account_inactive
    financial_connections_account_pending_account_numbers
    financial_connections_account_unavailable_account_numbers
    financial_connections_no_successful_transaction_refresh forwarding_api_inactive
    forwarding_api_invalid_parameter forwarding_api_retryable_upstream_error
    forwarding_api_upstream_connection_error forwarding_api_upstream_connection_timeout
    forwarding_api_upstream_error instant_payouts_config_disabled instant_payouts_currency_disabled
    instant_payouts_limit_exceeded instant_payouts_unsupported
    invalid_mandate_reference_prefix_format invalid_tax_location invoice_no_customer_line_items
    invoice_no_payment_method_types invoice_no_subscription_line_items invoice_not_editable
    invoice_on_behalf_of_not_editable invoice_payment_intent_requires_action invoice_upcoming_none
    no_account not_allowed_on_standard_account out_of_inventory ownership_declaration_not_allowed
    payment_intent_konbini_rejected_confirmation_number
    payment_method_bank_account_already_verified payment_method_bank_account_blocked
    payment_method_microdeposit_failed payment_method_microdeposit_processing_error
    payment_method_microdeposit_verification_amounts_invalid
    payment_method_microdeposit_verification_amounts_mismatch
    payment_method_microdeposit_verification_attempts_exceeded
    payment_method_microdeposit_verification_descriptor_code_mismatch
    payment_method_microdeposit_verification_timeout payout_reconciliation_not_ready
    payouts_limit_exceeded payouts_not_allowed product_inactive
    progressive_onboarding_limit_exceeded refer_to_customer return_intent_already_processed
    routing_number_invalid sepa_unsupported_account
    service_period_coupon_with_metered_tiered_item_unsupported shipping_calculation_failed
    siret_invalid sku_inactive storer_capability_missing storer_capability_not_active
    stripe_tax_inactive tax_id_invalid tax_id_prohibited taxes_calculation_failed
    terminal_location_country_unsupported terminal_reader_busy terminal_reader_hardware_fault
    terminal_reader_invalid_location_for_activation terminal_reader_invalid_location_for_payment
    terminal_reader_offline terminal_reader_timeout transfer_source_balance_parameters_mismatch
    transfers_not_allowed
    """
)
"""Codes of what this driver never asks for: debits, payouts, taxes, terminals, other accounts."""

REFUND_FAILURES = words(
    """
    charge_for_pending_refund_disputed declined expired_or_canceled_card insufficient_funds
    lost_or_stolen_card merchant_request unknown
    """
)
"""The reasons of a failed refund: `Refund.failure_reason` in stripe-python 15.3.1."""

CANCELLATIONS = words(
    """
    abandoned automatic duplicate expired failed_invoice fraudulent requested_by_customer
    void_invoice
    """
)
"""`PaymentIntent.cancellation_reason` in stripe-python 15.3.1."""
