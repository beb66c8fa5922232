"""Facts about a charge: what an account cannot use is refused, and nothing is lost."""

from dataclasses import replace
from typing import Any

import pytest

from paygate import Cashier, Customer, Kind, Money, OneTimeToken, PaymentStatus
from paygate.domain.charging import ChargeFact
from paygate.errors import InvalidSettings, InvalidValue, Unsupported
from paygate.testing import FakeGateway, fake_traits

ADA = Customer("C-1", name="Ada Lovelace")
FACTS: dict[ChargeFact, Any] = {
    ChargeFact.STATEMENT_SUFFIX: "ROWING",
    ChargeFact.RECEIPT_EMAIL: "ada@example.org",
    ChargeFact.METADATA: {"boat": "Ida"},
    ChargeFact.SHIP_TO: ADA,
    ChargeFact.MOTO: True,
}


def shop(**given: Any) -> Cashier:
    overrides: Any = given.pop("traits", {})
    gateway = FakeGateway(Kind.CARD, traits=fake_traits([Kind.CARD], overrides))
    account = {"gateway": gateway, **given} if given else gateway
    cashier = Cashier.in_memory(gateways={"card": account}, page_keys=["A" * 43 + "="])
    cashier.issue(number="A", customer=ADA, total=Money.of("USD", "30.00"), due="2026-12-01")
    return cashier


def test_there_is_a_value_for_each_fact() -> None:
    assert set(FACTS) == set(ChargeFact)


@pytest.mark.parametrize("fact", ChargeFact)
def test_a_fact_that_the_account_has_no_field_for_is_refused(fact: ChargeFact) -> None:
    others = frozenset(ChargeFact) - {fact}
    with shop(traits={"takes": others}) as cashier:
        with pytest.raises(Unsupported, match=fact):
            cashier.collect("A", via="card", method="tok_visa", key="k", **{fact: FACTS[fact]})
        with pytest.raises(Unsupported, match=fact):
            cashier.authorize("A", via="card", method="tok_visa", key="k", **{fact: FACTS[fact]})

        assert cashier.payments() == []
        rest: dict[str, Any] = {each: FACTS[each] for each in others}
        paid = cashier.collect("A", via="card", method="tok_visa", key="k", **rest)
        assert paid.status is PaymentStatus.SUCCEEDED


def test_the_payment_data_of_a_wallet_is_taken_only_where_the_rail_says_so() -> None:
    apple = OneTimeToken.of("tok_visa", "apple_pay")
    with shop() as cashier, pytest.raises(Unsupported, match="apple_pay"):
        cashier.collect("A", via="card", method=apple, key="k")

    with shop(traits={"wallets": frozenset({"apple_pay"})}) as cashier:
        google = replace(apple, wallet="google_pay")
        with pytest.raises(Unsupported, match="google_pay"):
            cashier.collect("A", via="card", method=google, key="l")
        paid = cashier.collect("A", via="card", method=apple, key="k")
        assert paid.status is PaymentStatus.SUCCEEDED


# --- Brands -------------------------------------------------------------------------------


def test_the_host_says_which_cards_an_account_accepts() -> None:
    with shop(brands=["visa", "amex"]) as cashier:
        assert cashier.gateways["card"].traits.rails[Kind.CARD].brands == frozenset(
            {"visa", "amex"}
        )
        link = cashier.link(["A"], key="l")
        [way] = cashier.ways_to_pay(link)
        assert way.brands == ("amex", "visa")


@pytest.mark.parametrize("brands", [["Visa"], [], "visa,amex", [7], ["elo"]])
def test_brands_outside_the_vocabulary_are_refused(brands: Any) -> None:
    with pytest.raises(InvalidSettings, match="brands"):
        shop(brands=brands)


def test_an_account_without_cards_has_no_brands() -> None:
    gateway = FakeGateway(Kind.E_CHECK)

    with pytest.raises(InvalidSettings, match="no cards"):
        Cashier.in_memory(gateways={"bank": {"gateway": gateway, "brands": ["visa"]}})


# --- A card terminal ----------------------------------------------------------------------


def test_the_sale_of_a_card_terminal_is_recorded_with_its_reference() -> None:
    with shop() as cashier:
        with pytest.raises(InvalidValue, match="reference"):
            cashier.record("A", by="terminal", key="t")

        paid = cashier.record("A", by="terminal", reference="T1 000123", key="t")

        assert (paid.kind, paid.status, paid.reference) == (
            Kind.TERMINAL,
            PaymentStatus.SUCCEEDED,
            "T1 000123",
        )
        again = cashier.issue(
            number="B", customer=ADA, total=Money.of("USD", "30.00"), due="2026-12-01"
        )
        twice = cashier.record(again, by="terminal", reference="T1 000123", key="u")
        assert twice.warnings
        assert cashier.fsck() == []
