"""What drivers share whose payers pay on the processor's page."""

from datetime import timedelta
from typing import Any, ClassVar

import pytest

from paygate.driver import (
    Amounts,
    Charge,
    Kind,
    Money,
    OneTimeToken,
    Operation,
    Rail,
    Redirect,
    Response,
    Unsupported,
    Wallet,
    WalletSettings,
    page_action,
    page_traits,
)

PENNY = Amounts("Penny", {"EUR": 2})


class PennySettings(WalletSettings):
    amounts: ClassVar[Amounts] = PENNY
    page_base: ClassVar[str] = "https://pay.penny.example"


class Penny(Wallet[PennySettings]):
    name = "penny"
    return_url_max = 30


def penny(**given: Any) -> Penny:
    settings = PennySettings.model_validate(given)
    rail = Rail(operations=frozenset({Operation.CHARGE, Operation.REFUND}))
    traits = page_traits(settings, rail, merchant_account="m", driver_version="1")
    return Penny(settings, traits)


def charge(**given: Any) -> Charge:
    facts: dict[str, Any] = {
        "key": "k",
        "our_ref": "att",
        "payment": "pay",
        "amount": Money("EUR", 100),
        "kind": Kind.REDIRECT,
        "return_url": "https://shop.example/back",
    }
    return Charge(**{**facts, **given})


def test_its_payers_are_always_present_and_never_charged_by_themselves() -> None:
    rail = penny(minimum={"EUR": "1.00"}).traits.rails[Kind.REDIRECT]

    assert (rail.payer_present, rail.immediate, rail.needs_return_url) == (True, False, True)
    assert rail.limits["EUR"].minimum_minor == 100
    assert rail.currencies == frozenset({"EUR"})
    assert Operation.REFUND in rail.operations


@pytest.mark.parametrize(
    "given",
    [
        {"amount": Money("USD", 100)},
        {"method": OneTimeToken.of("tok")},
        {"moto": True},
        {"return_url": ""},
        {"return_url": "https://shop.example/" + "x" * 10},
    ],
    ids=lambda given: next(iter(given)) + str(len(str(given))),
)
def test_what_no_page_can_take_is_refused(given: dict[str, Any]) -> None:
    penny().check_charge(charge())
    with pytest.raises(Unsupported):
        penny().check_charge(charge(**given))


@pytest.mark.parametrize(
    "given",
    [
        {"live": True, "api_base": "http://127.0.0.1:1"},
        {"api_base": "http://penny.example"},
        {"minimum": {"USD": "1.00"}},
        {"minimum": {"EUR": "2.00"}, "maximum": {"EUR": "1.00"}},
    ],
    ids=["live", "http", "currency", "limits"],
)
def test_settings_that_contradict_each_other_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"api_base|http|USD|minimum"):
        penny(**given)


def test_its_pages_are_at_its_own_origin() -> None:
    assert penny().traits.page_origins == {"https://pay.penny.example"}
    assert penny(api_base="http://127.0.0.1:1").traits.page_origins == {"http://127.0.0.1:1"}
    assert repr(penny(live=True)) == "Penny(live m)"


def test_a_page_expires_by_the_processors_clock() -> None:
    told = Response(status=200, headers={"date": "Mon, 03 Aug 2026 12:00:00 GMT"})
    page = page_action("https://pay.penny.example/1", "1", told, lasts=timedelta(minutes=15))

    assert str(page.expires_at) == "2026-08-03 12:15:00+00:00"
    assert page_action("https://x.example/", "1", lasts=timedelta(1)).expires_at is None
    posted = page_action("https://x.example/", "1", form={"a": "b"}).action
    assert isinstance(posted, Redirect)
    assert posted.method == "POST"
