"""What the host allows at an account, and that it is never more than the driver can do."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate import Cashier, Money, PaymentStatus
from paygate.domain.kind import Kind, Operation
from paygate.errors import AccountDisabled, AmountOutsideLimits, InvalidSettings, Unsupported
from paygate.gateway import Limits
from paygate.service.account import GatewayAccount
from paygate.testing import FakeGateway

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def fake(**more: Any) -> FakeGateway:
    limits = {"USD": Limits(minimum_minor=50, maximum_minor=999_999)}
    return FakeGateway(limits=limits, **more)


def opened(gateway: FakeGateway | None = None, url: str = "sqlite://", **terms: Any) -> Cashier:
    account: dict[str, Any] = {"gateway": gateway or fake(), **terms}
    return Cashier.open(url, gateways={"card": account}, token_keys=[KEY], preload=False)


def owed(cashier: Cashier, amount: str, currency: str = "USD", number: str = "INV-1") -> str:
    total = Money.of(currency, amount)
    return cashier.issue(number=number, customer="C", total=total, due="2026-12-01").number


def nothing_is_stored(cashier: Cashier) -> bool:
    return {each.type for each in cashier.events()} == {"invoice.generated"}


def test_a_disabled_account_takes_no_new_payment_and_stores_nothing() -> None:
    with opened(enabled=False) as cashier:
        invoice = owed(cashier, "30.00")
        with pytest.raises(AccountDisabled) as caught:
            cashier.collect(invoice, via="card", method="tok_visa", key="1")
        with pytest.raises(AccountDisabled):
            cashier.authorize(invoice, via="card", method="tok_visa", key="2")
        with pytest.raises(AccountDisabled):
            cashier.enroll("C", via="card", method="tok_visa", key="3")

        assert (caught.value.account, caught.value.currency) == ("card", "")
        assert nothing_is_stored(cashier)


def test_what_was_paid_before_it_was_disabled_is_captured_refunded_and_found_by_its_key(
    tmp_path: Path,
) -> None:
    gateway, url = fake(), f"sqlite:///{tmp_path}/ledger.db"
    with opened(gateway, url) as cashier:
        held = cashier.authorize(owed(cashier, "30.00"), via="card", method="tok_visa", key="1")

    with opened(gateway, url, enabled=False) as disabled:
        again = disabled.authorize("INV-1", via="card", method="tok_visa", key="1")
        taken = disabled.capture(held, key="2")
        back = disabled.refund(held, amount=Money.of("USD", "10.00"), key="3")

        assert again.id == held.id
        assert taken.state == back.state == "succeeded"
        assert disabled.inquire(held).status is PaymentStatus.SUCCEEDED


def test_a_disabled_account_shows_that_it_begins_nothing() -> None:
    with opened(enabled=False) as cashier:
        traits = cashier.accounts()["card"].traits

        assert not traits.offers(Kind.CARD, Operation.CHARGE)
        assert not traits.offers(Kind.CARD, Operation.AUTHORIZE)
        assert not traits.offers(Kind.CARD, Operation.ENROLL)
        assert traits.offers(Kind.CARD, Operation.REFUND)
        assert traits.offers(Kind.CARD, Operation.CAPTURE)


def test_a_disabled_currency_leaves_the_others() -> None:
    with opened(by_currency={"EUR": {"enabled": False}}) as cashier:
        with pytest.raises(AccountDisabled) as caught:
            cashier.collect(owed(cashier, "30", "EUR"), via="card", method="tok_visa", key="1")
        assert nothing_is_stored(cashier)
        assert caught.value.currency == "EUR"

        paid = cashier.collect(
            owed(cashier, "30", number="2"), via="card", method="tok_visa", key="2"
        )
        assert paid.status is PaymentStatus.SUCCEEDED
        currencies = cashier.accounts()["card"].traits.rails[Kind.CARD].currencies
        assert currencies is not None
        assert "USD" in currencies
        assert "EUR" not in currencies


@pytest.mark.parametrize("amount", ["4.99", "20.01"])
def test_an_amount_outside_the_hosts_limits_is_refused_and_nothing_is_stored(amount: str) -> None:
    limits = {"USD": {"minimum": "5.00", "maximum": "20"}}
    with opened(by_currency=limits) as cashier:
        with pytest.raises(AmountOutsideLimits, match=r"5\.00 USD to 20\.00 USD") as caught:
            cashier.collect(owed(cashier, amount), via="card", method="tok_visa", key="1")

        assert nothing_is_stored(cashier)
        assert (caught.value.facts["minimum"], caught.value.facts["maximum"]) == (500, 2000)


@pytest.mark.parametrize("amount", ["5.00", "20.00"])
def test_the_limits_themselves_are_inside(amount: str) -> None:
    with opened(by_currency={"USD": {"minimum": "5.00", "maximum": "20"}}) as cashier:
        paid = cashier.collect(owed(cashier, amount), via="card", method="tok_visa", key="1")

        assert paid.status is PaymentStatus.SUCCEEDED


def test_a_hosts_limit_does_not_loosen_the_drivers() -> None:
    with opened(by_currency={"USD": {"minimum": "0.10", "maximum": "20000"}}) as cashier:
        rail = cashier.accounts()["card"].traits.rails[Kind.CARD]

        assert rail.limits["USD"] == Limits(minimum_minor=50, maximum_minor=999_999)


def test_a_driver_without_the_currency_does_not_get_it_from_the_host() -> None:
    gateway = fake(currencies=frozenset({"USD"}))
    with pytest.raises(InvalidSettings, match="EUR"):
        opened(gateway, by_currency={"EUR": {"minimum": "1"}})
    with opened(gateway) as cashier, pytest.raises(Unsupported):
        cashier.collect(owed(cashier, "30", "EUR"), via="card", method="tok_visa", key="1")


bounds = st.none() | st.integers(1, 2_000_000)


@given(st.booleans(), bounds, bounds, st.booleans())
def test_what_is_shown_is_never_more_than_the_driver_offers(
    enabled: bool, low: int | None, high: int | None, currency_enabled: bool
) -> None:
    own = {
        "enabled": currency_enabled,
        "minimum": None if low is None else Decimal(low) / 100,
        "maximum": None if high is None else Decimal(high) / 100,
    }
    gateway = fake()
    try:
        account = GatewayAccount.of("card", gateway, enabled=enabled, by_currency={"USD": own})
    except InvalidSettings:
        least, most = max(50, low or 0), min(999_999, high or 999_999)
        assert least > most
        return
    [driver, shown] = (each.rails[Kind.CARD] for each in (gateway.traits, account.traits))
    limits, theirs = shown.limits["USD"], driver.limits["USD"]

    assert shown.operations <= driver.operations
    assert (limits.minimum_minor or 0) >= (theirs.minimum_minor or 0)
    assert limits.maximum_minor is not None
    assert theirs.maximum_minor is not None
    assert limits.maximum_minor <= theirs.maximum_minor
    if not currency_enabled:
        assert shown.currencies is not None
        assert "USD" not in shown.currencies


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"enabled": "no"}, "enabled"),
        ({"enabled": 0}, "enabled"),
        ({"by_currency": ["USD"]}, "by_currency"),
        ({"by_currency": {"XXQ": {}}}, "XXQ"),
        ({"by_currency": {7: {}}}, "7"),
        ({"by_currency": {"USD": 5}}, "table"),
        ({"by_currency": {"USD": {"min": 5}}}, "'min'"),
        ({"by_currency": {"USD": {"enabled": "yes"}}}, "enabled"),
        ({"by_currency": {"USD": {"minimum": 5.5}}}, "minimum"),
        ({"by_currency": {"USD": {"minimum": "five"}}}, "minimum"),
        ({"by_currency": {"USD": {"minimum": "5.001"}}}, "minimum"),
        ({"by_currency": {"USD": {"maximum": 0}}}, "maximum"),
        ({"by_currency": {"USD": {"maximum": -5}}}, "maximum"),
        ({"by_currency": {"USD": {"minimum": "5", "maximum": "4.99"}}}, "no amount is left"),
        ({"by_currency": {"USD": {"minimum": "10000.00"}}}, "no amount is left"),
        ({"by_currency": {"USD": {"maximum": "0.49"}}}, "no amount is left"),
    ],
    ids=str,
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidSettings, match="card") as caught:
        opened(**terms)

    assert says in str(caught.value)
