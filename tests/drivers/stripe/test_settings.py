"""What a Stripe account may be told, and what it says of itself."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from paygate.domain.kind import Kind, Operation
from paygate.drivers.stripe import Stripe, StripeSettings
from paygate.gateway import (
    CAPABILITIES,
    CallbackStyle,
    Checks,
    Gateway,
    InquiryBy,
    Keyed,
    Limits,
    LooksUp,
    Verifies,
)
from tests.drivers.stripe.conftest import settings


@pytest.mark.parametrize(
    "given",
    [
        {"secret_key": "pk_test_1"},
        {"secret_key": "sk_1"},
        {"secret_key": "sk_test_a\r\nX: y"},
        {"secret_key": ""},
        {"publishable_key": "sk_test_1"},
        {"publishable_key": "pk_live_1"},
        {"api_base": "http://api.stripe.com"},
        {"api_base": "http://127.0.0.1.evil.example"},
        {"api_base": "ftp://api.stripe.com"},
        {"api_base": "https://"},
        {"api_base": "https://user@api.stripe.com"},
        {"api_base": "https://api.stripe.com?x=1"},
        {"minimum": {"USD": "0.505"}},
        {"minimum": {"usd": "0.50"}},
        {"maximum": {"BTC": "1"}},
        {"timeout": 3},
        {"webhook_secrets": "sk_test_1"},
        {"webhook_secrets": ("whsec_1", "")},
        {"webhook_secrets": ("whsec_1\n",)},
    ],
)
def test_settings_that_cannot_be_right_are_refused_without_showing_the_key(
    given: dict[str, Any],
) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**given)

    assert "4eC39HqLyjW" not in str(caught.value)
    assert not given.get("secret_key") or given["secret_key"] not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"secret_key": " sk_test_1"}, "space or line break"),
        ({"secret_key": "sk_test_1\n"}, "space or line break"),
        ({"webhook_secrets": "whsec_1\r\n"}, "space or line break"),
        ({"account": "acc_1"}, "begins with acct_"),
        ({"account": "Lamps & Sons"}, "begins with acct_"),
        ({"api_base": "https://api.stripe.com/v1"}, "leave /v1 out"),
        ({"api_base": "https://api.stripe.com/v1/"}, "leave /v1 out"),
        ({"minimum": {"USD": 5}, "maximum": {"USD": 1}}, "so no amount is allowed"),
    ],
)
def test_a_slip_in_the_settings_is_named(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        settings(**given)


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:8420/", "http://localhost:1", "http://[::1]:1", "https://x/stripe"],
)
def test_the_key_goes_over_https_or_stays_on_this_machine(address: str) -> None:
    assert settings(api_base=address).api_base == address.rstrip("/")


@pytest.mark.parametrize("key", ["sk_live_7", "rk_live_7"])
@pytest.mark.parametrize(
    "address", ["https://stripe.example", "http://127.0.0.1:8420", "https://api.stripe.com:8443"]
)
def test_a_live_key_goes_to_stripe_alone(key: str, address: str) -> None:
    with pytest.raises(ValidationError, match="a live key is sent to Stripe alone") as refused:
        settings(secret_key=key, api_base=address)

    assert key not in f"{refused.value.errors()}{refused.value.json()}"
    assert settings(secret_key=key, api_base="https://api.stripe.com/").live
    assert settings(secret_key=key).api_base == "https://api.stripe.com"


@pytest.mark.parametrize(
    ("key", "live"),
    [("sk_test_1", False), ("rk_test_1", False), ("sk_live_1", True), ("rk_live_1", True)],
)
def test_the_key_tells_test_from_live(key: str, live: bool) -> None:
    stripe = Stripe(settings(secret_key=key))

    assert stripe.traits.live is live


def test_settings_show_no_secret() -> None:
    given = settings()

    assert "4eC39HqLyjW" not in f"{given!r} {given} {Stripe(given)!r}"
    assert StripeSettings.model_json_schema()["properties"]["secret_key"]["format"] == "password"


def test_the_driver_has_the_capabilities_it_says() -> None:
    stripe = Stripe(settings())

    for capability in (Gateway, LooksUp, Checks, Verifies):
        assert isinstance(stripe, capability)
    for operation, can in CAPABILITIES.items():
        assert isinstance(stripe, can)
        assert stripe.traits.offers(Kind.CARD, operation)
    assert not stripe.traits.offers(Kind.REDIRECT, Operation.AUTHORIZE)
    assert not stripe.traits.offers(Kind.E_CHECK, Operation.CHARGE)


def test_the_traits_are_the_facts_of_the_protocol() -> None:
    traits = Stripe(settings(account="acct_1")).traits

    assert traits.merchant_account == "acct_1"
    assert traits.idempotency == Keyed(ttl=timedelta(hours=24), replays_errors=True)
    assert traits.inquiry is InquiryBy.LIST_SCAN
    assert traits.not_found_is_final_after == timedelta(minutes=20)
    currencies = traits.rails[Kind.CARD].currencies
    assert currencies is not None
    assert {"USD", "JPY", "KWD", "ISK"} <= currencies
    assert not {"UGX", "BTC", "IQD", "CLF"} & currencies


def test_a_page_needs_an_address_to_come_back_to_and_no_card() -> None:
    page = Stripe(settings()).traits.rails[Kind.REDIRECT]

    assert page.needs_return_url
    assert page.withdrawable
    assert page.payer_present
    assert not page.methods
    assert not page.variable_amount


def test_a_card_is_captured_once_and_in_part() -> None:
    card = Stripe(settings()).traits.rails[Kind.CARD]

    assert card.partial_capture
    assert not card.multiple_capture
    assert card.partial_refund
    assert card.refund_window is None


@pytest.mark.parametrize(
    ("secrets", "count"),
    [("whsec_1", 1), (["whsec_1"], 1), (("whsec_1", "whsec_2"), 2), ((), 0)],
)
def test_webhooks_are_taken_where_there_is_a_secret(secrets: object, count: int) -> None:
    given = settings(webhook_secrets=secrets)

    style = Stripe(given).traits.callbacks
    assert len(given.webhook_secrets) == count
    assert style is (CallbackStyle.ACKNOWLEDGED if count else CallbackStyle.NONE)


def test_limits_come_from_the_settings() -> None:
    stripe = Stripe(settings(minimum={"USD": "0.50", "JPY": "50"}, maximum={"USD": "999999.99"}))

    assert stripe.traits.rails[Kind.CARD].limits == {
        "USD": Limits(50, 99_999_999),
        "JPY": Limits(50, None),
    }
