"""The tables of codes and currencies against Stripe's own lists; every difference is named."""

import json
from pathlib import Path
from typing import Any

import pytest

from paygate.domain.chargeback import DisputeState
from paygate.domain.kind import Kind
from paygate.domain.outcome import NotFound, Unknown
from paygate.driver import Fields
from paygate.drivers.stripe import Stripe, codes
from paygate.drivers.stripe.events import TYPES, read_event
from paygate.testing.play import play
from tests.drivers.stripe import published
from tests.drivers.stripe.conftest import answers, inquiry, intent, paid, settings
from tests.drivers.stripe.test_callbacks import dispute, event
from tests.drivers.stripe.test_stored import setup

STRIPE = Stripe(settings())


@pytest.fixture(scope="module")
def tables(protocols: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((protocols / "stripe" / "tables.json").read_text())
    return read


# --- Currencies ------------------------------------------------------------------------------

LEFT_OUT = {
    "ANG": "XCG took its place in 2025",
    "BGN": "Bulgaria has the euro since 2026",
    "HRK": "Croatia has the euro since 2023",
    "STD": "STN took its place in 2018",
    "UGX": "two pages disagree whether it is sent with digits",
}


def test_the_currencies_are_those_that_stripe_lists() -> None:
    assert LEFT_OUT.keys() == published.CURRENCIES - codes.AMOUNTS.currencies
    assert set() == codes.AMOUNTS.currencies - published.CURRENCIES
    for kind in (Kind.CARD, Kind.REDIRECT):
        assert STRIPE.traits.rails[kind].currencies == codes.AMOUNTS.currencies


def test_the_currencies_are_counted_as_the_sheet_says(tables: dict[str, Any]) -> None:
    without = {code.upper() for code in tables["zero_decimal"]} - {"UGX"}
    three = {code.upper() for code in tables["three_decimal"]}
    assert {code for code, digits in codes.AMOUNTS.digits.items() if digits == 0} == without
    assert {code for code, digits in codes.AMOUNTS.digits.items() if digits == 3} == three
    assert {**dict.fromkeys(three, 10), "ISK": 100} == codes.AMOUNTS.steps


# --- Declines and refusals ---------------------------------------------------------------------


def test_every_decline_code_has_a_meaning(tables: dict[str, Any]) -> None:
    assert set(tables["decline_codes"]) - codes.DECLINES.keys() == set()
    for raw in tables["decline_codes_may_retry_later"]:
        assert codes.DECLINES[raw][1], raw
    for raw in tables["decline_codes_never_retry_same_method"]:
        assert not codes.DECLINES[raw][1], raw


def test_every_code_of_a_card_payment_is_in_a_table(tables: dict[str, Any]) -> None:
    # What these two mean depends on what they are about, and on whether money may have moved.
    by_circumstance = {codes.KEY_IN_USE, "resource_missing"}
    ours = codes.DECLINES.keys() | codes.CAUSES.keys() | by_circumstance

    assert published.OF_CARD_PAYMENTS - ours == set()
    assert ours - published.OF_CARD_PAYMENTS - set(tables["decline_codes"]) == set()


def test_no_code_is_both_a_decline_and_a_refusal() -> None:
    assert codes.DECLINES.keys() & codes.CAUSES.keys() == set()
    assert codes.CAUSES.keys() > codes.HOLD_OVER
    assert {codes.LOCKED} < codes.CAUSES.keys()
    assert codes.DECLINES.keys() > codes.VAGUE


def test_every_type_of_error_is_known(tables: dict[str, Any]) -> None:
    # An api_error refuses nothing; the other two are about the card and about the key.
    others = {"api_error", "card_error", "idempotency_error"}

    assert set(tables["error_types"]) - codes.REFUSES == others
    # Types of older versions.
    assert codes.REFUSES - set(tables["error_types"]) == {
        "authentication_error",
        "rate_limit_error",
    }


def test_the_reasons_of_refunds_and_cancelings_are_those_of_the_list(
    tables: dict[str, Any],
) -> None:
    assert codes.REFUND_FAILURES.keys() == published.REFUND_FAILURES
    assert set(tables["refund_reason_request"]) == codes.REFUND_REASONS
    assert codes.RAN_OUT < published.CANCELLATIONS


# --- States --------------------------------------------------------------------------------------


def test_every_state_is_read(tables: dict[str, Any]) -> None:
    for status in tables["payment_intent_status"]:
        told = {**paid(), "status": status, "amount_capturable": 1099}
        found = play(STRIPE.look_up(inquiry()), answers(told)).outcome
        assert not isinstance(found, Unknown), status
    for status in tables["setup_intent_status"]:
        asked = inquiry(operation="enroll", reference="seti_1")
        found = play(STRIPE.look_up(asked), answers(setup(status))).outcome
        assert not isinstance(found, Unknown), status
    for status in tables["dispute_status"]:
        told = event("charge.dispute.updated", dispute(status=status))
        (stands,) = read_event(settings(), Fields(told, "Stripe")).disputes
        assert stands.state in DisputeState


def test_an_intent_that_was_not_confirmed_is_not_found() -> None:
    told = answers(intent("requires_confirmation"))

    assert play(STRIPE.look_up(inquiry()), told).outcome == NotFound()


# --- Events --------------------------------------------------------------------------------------

NOT_READ_FROM_THE_LIST = {
    "charge.refunded": "refund.created says it of the refund itself",
    "charge.refund.updated": "refund.updated is the same",
    "charge.dispute.updated": "how it stands is told when it is created and closed",
    "payment_method.attached": "nobody attaches a card but we",
    "payment_method.detached": "the next charge is declined",
    "payment_method.automatically_updated": "the card can be charged all the same",
    "mandate.updated": "the next charge is declined",
}


def test_the_events_that_are_read_are_those_of_the_sheet(tables: dict[str, Any]) -> None:
    subscribed = set(tables["events_to_subscribe"])

    assert subscribed - set(TYPES) == NOT_READ_FROM_THE_LIST.keys()
    assert set(TYPES) - subscribed == {"setup_intent.canceled"}
    assert len(TYPES) <= 20
