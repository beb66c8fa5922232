"""Payers at the simulated Skrill, Remita and Payarena."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from paygate import Customer, Money
from paygate.gateway import Callback
from tests.browser.conftest import Shown
from tests.browser.payers import Payer
from tests.browser.test_processors import PAID, Merchant, each_way, open_merchant, policy_complaints
from tests.support import simulated_payarena, simulated_remita, simulated_skrill

ADA = Customer("C-1", name="Ada Obi", email="ada@example.com", phone="+234 803 555 0143")
TOKEN = "a-long-random-text-of-our-own"


def address(merchant: Merchant, total: Money, customer: Customer = ADA) -> str:
    """Issue an invoice, and return the address of its link."""
    merchant.cashier.issue(number="INV-1", customer=customer, total=total, due="2099-12-01")
    return merchant.cashier.link("INV-1", key="k").address(merchant.web.root)


def back_of(merchant: Merchant) -> str:
    """Return the address to which the processor sends the payer back."""
    [payment] = merchant.cashier.payments()
    return f"{merchant.cashier.payment_page(payment).address(merchant.web.root)}/back"


def deliver(merchant: Merchant, body: bytes, query: str = "") -> None:
    """Receive what the processor sent by itself."""
    sent = Callback(
        method="POST",
        path="/",
        headers={},
        query=query,
        body=body,
        received_at=merchant.cashier.now(),
    )
    assert merchant.cashier.receive("account", sent).status == 200
    merchant.cashier.apply_callbacks()


@pytest.fixture
def skrill() -> Iterator[Merchant]:
    processor = simulated_skrill.SimulatedSkrill()
    with simulated_skrill.serving(processor) as url:
        settings = {
            "driver": "skrill",
            "email": processor.email,
            "merchant_id": processor.merchant_id,
            "secret_word": processor.secret_word,
            "api_password": processor.api_password,
            "status_url": processor.status_url,
            "api_base": url,
        }
        with open_merchant(settings, "Skrill", processor) as merchant:
            yield merchant


@pytest.fixture
def remita() -> Iterator[Merchant]:
    processor = simulated_remita.SimulatedRemita()
    with simulated_remita.serving(processor) as url:
        settings = {
            "driver": "remita",
            "merchant_id": processor.merchant_id,
            "service_type_id": processor.service_type_id,
            "api_key": processor.api_key,
            "callback_tokens": TOKEN,
            "api_base": url,
        }
        with open_merchant(settings, "Remita", processor) as merchant:
            yield merchant


@pytest.fixture
def payarena() -> Iterator[Merchant]:
    processor = simulated_payarena.SimulatedPayarena()
    with simulated_payarena.serving(processor) as url:
        settings = {
            "driver": "payarena",
            "merchant_id": processor.merchant_id,
            "secret_key": processor.secret_key,
            "api_base": url,
        }
        with open_merchant(settings, "Payarena", processor) as merchant:
            yield merchant


@pytest.fixture
def payer(chromium: Any) -> Iterator[Callable[[str], Payer]]:
    contexts: list[Any] = []

    def made(way: str) -> Payer:
        context = chromium.new_context(java_script_enabled=way != "no script")
        contexts.append(context)
        return Payer(Shown.of(context.new_page()), way)

    yield made
    for context in contexts:
        context.close()


# --- Skrill -------------------------------------------------------------------------------------


@each_way
def test_a_payer_pays_at_skrill_and_comes_back(
    skrill: Merchant, payer: Callable[[str], Payer], way: str
) -> None:
    one = payer(way)

    one.open(address(skrill, Money.of("EUR", "30.00")))
    one.press("Pay €30.00 with Skrill")
    one.sees("Skrill (simulated)")
    assert "30" not in one.page.url.partition("?")[2].replace(one.page.url[-32:], "")
    one.press("Pay now")

    one.sees(PAID)
    assert (skrill.received(), skrill.open()) == (["30.00"], "0.00")
    assert policy_complaints(one) == []


def test_who_cancels_at_skrill_is_not_told_at_once_that_nothing_was_paid(
    skrill: Merchant, payer: Callable[[str], Payer]
) -> None:
    one = payer("mouse")
    one.open(address(skrill, Money.of("EUR", "30.00")))
    one.press("Pay €30.00 with Skrill")
    one.press("Cancel")

    one.sees("We are waiting for Skrill")
    skrill.clock.advance(minutes=3)
    one.page.reload()
    one.sees("You have not paid yet")
    assert skrill.received() == []


def test_a_report_of_skrill_leads_to_the_receipt_of_a_payer_who_never_comes_back(
    skrill: Merchant, payer: Callable[[str], Payer]
) -> None:
    one = payer("mouse")
    one.open(address(skrill, Money.of("EUR", "30.00")))
    one.press("Pay €30.00 with Skrill")
    one.sees("Skrill (simulated)")
    [payment] = skrill.cashier.payments()
    skrill.processor.pay(payment.reference)

    for _, body in skrill.processor.reports:
        deliver(skrill, body)
    one.open(back_of(skrill).removesuffix("/back"))

    one.sees(PAID)


# --- Remita -------------------------------------------------------------------------------------


@each_way
def test_a_page_asks_for_what_remita_needs_and_posts_its_form(
    remita: Merchant, payer: Callable[[str], Payer], way: str
) -> None:
    one = payer(way)

    one.open(
        address(
            remita,
            Money.of("NGN", "21000.00"),
            Customer("C-1", name="Ada Obi", email="ada@example.com"),
        )
    )
    one.type("Telephone", "+234 803 555 0143")
    one.press("Pay NGN21,000.00 with Remita")
    if way == "no script":
        one.press("Continue")
    one.sees("Remita (simulated)")
    one.press("Pay now")

    one.sees(PAID)
    assert (remita.received(), remita.open()) == (["21000.00"], "0.00")
    assert policy_complaints(one) == []
    [reference] = remita.processor.references.values()
    assert reference["payerPhone"] == "+234 803 555 0143"


def test_below_the_minimum_remita_is_not_offered(
    remita: Merchant, payer: Callable[[str], Payer]
) -> None:
    one = payer("mouse")

    one.open(address(remita, Money.of("NGN", "49.99")))

    assert one.page.get_by_role("button", name="with Remita").count() == 0
    assert remita.processor.asked == []


def test_who_pays_at_a_bank_days_later_is_found(
    remita: Merchant, payer: Callable[[str], Payer]
) -> None:
    one = payer("mouse")
    one.open(address(remita, Money.of("NGN", "21000.00")))
    one.press("Pay NGN21,000.00 with Remita")
    one.press("Pay at a bank later")
    one.sees("We are waiting for Remita")
    assert remita.received() == []

    remita.clock.advance(days=2)
    [payment] = remita.cashier.payments()
    remita.processor.pay(payment.reference, "BANKBRANCH")
    deliver(remita, remita.processor.notifications[0], f"token={TOKEN}")
    one.page.reload()

    one.sees(PAID)
    assert remita.received() == ["21000.00"]


# --- Payarena -----------------------------------------------------------------------------------


@each_way
def test_a_form_from_payarena_brings_the_payer_back(
    payarena: Merchant, payer: Callable[[str], Payer], way: str
) -> None:
    """The form comes from another site, so no cookie of ours comes with it."""
    one = payer(way)

    one.open(address(payarena, Money.of("NGN", "400.00")))
    one.press("Pay NGN400.00 with Payarena")
    one.sees("Payarena (simulated)")
    one.press("Pay now")
    one.press("Back to the merchant")

    one.sees(PAID)
    assert (payarena.received(), payarena.open()) == (["400.00"], "0.00")
    assert policy_complaints(one) == []


def test_a_form_that_says_approved_pays_nothing(
    payarena: Merchant, payer: Callable[[str], Payer]
) -> None:
    one = payer("mouse")
    one.open(address(payarena, Money.of("NGN", "400.00")))
    one.press("Pay NGN400.00 with Payarena")
    one.press("Confirm in the app later")
    one.press("Back to the merchant")

    one.sees("We are waiting for Payarena")
    one.reads("Please do not pay again.")
    assert payarena.received() == []

    [payment] = payarena.cashier.payments()
    payarena.processor.turn(payment.reference)
    payarena.clock.advance(minutes=2)
    payarena.cashier.recover()
    one.page.reload()
    one.sees(PAID)


def test_a_declined_payment_can_be_begun_again(
    payarena: Merchant, payer: Callable[[str], Payer]
) -> None:
    one = payer("mouse")
    one.open(address(payarena, Money.of("NGN", "400.00")))
    one.press("Pay NGN400.00 with Payarena")
    one.press("Pay with an empty card")
    one.press("Back to the merchant")
    one.page.wait_for_url(f"{payarena.web.root}/**")
    assert payarena.received() == []

    one.open(payarena.cashier.link("INV-1", key="again").address(payarena.web.root))
    one.press("Pay NGN400.00 with Payarena")
    one.press("Pay now")
    one.press("Back to the merchant")

    one.sees(PAID)
    assert payarena.received() == ["400.00"]
