"""Strategies: what they draw is what paygate can hold."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from paygate import Cashier, Money
from paygate.domain.outcome import Approved, Outcome
from paygate.drivers.stripe import Stripe, StripeSettings
from paygate.errors import NotAuthentic
from paygate.gateway import Callback
from paygate.testing import FakeGateway, strategies
from paygate.testing.play import play
from paygate.testing.strategies import Draft

SLOW = settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow], deadline=None)


@given(strategies.money())
def test_money_is_above_zero_and_written_as_it_is_read(amount: Money) -> None:
    assert amount.minor > 0
    assert Money.of(amount.currency, f"{amount.decimal:f}") == amount


@given(strategies.money("JPY", minor_min=5, minor_max=7))
def test_money_keeps_its_bounds(amount: Money) -> None:
    assert amount.currency == "JPY"
    assert 5 <= amount.minor <= 7


@SLOW
@given(strategies.invoices())
def test_every_invoice_can_be_issued(draft: Draft) -> None:
    facts: Mapping[str, Any] = draft.facts
    with Cashier.in_memory(gateways={"card": FakeGateway()}) as cashier:
        assert cashier.issue(**facts).open == draft.total


@given(strategies.outcomes(Money("USD", 1099)))
def test_an_approval_moves_the_amount_and_nothing_else_does(outcome: Outcome) -> None:
    moved = [each.amount for each in getattr(outcome, "movements", ())]

    assert moved == ([Money("USD", 1099)] if isinstance(outcome, Approved) else [])


@given(strategies.callbacks())
def test_no_callback_of_anybody_is_believed(callback: Callback) -> None:
    stripe = Stripe(
        StripeSettings.model_validate({"secret_key": "sk_test_1", "webhook_secrets": "whsec_1"})
    )

    with pytest.raises(NotAuthentic):
        play(stripe.verify(callback))
