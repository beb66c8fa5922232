"""Payers at the simulated Stripe and Authorize.Net: redirected, or by a form with a token."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from paygate import Cashier, Customer
from paygate.gateway import Callback
from paygate.testing.clock import WallClock
from paygate.web.pages import pages
from paygate.web.settings import WebSettings
from tests.browser.conftest import Shown
from tests.browser.payers import KEY, Payer, usd
from tests.support import simulated_authorize_net, simulated_stripe
from tests.web.serving import asgi_served

PAID = "Paid. Thank you."
each_way = pytest.mark.parametrize("way", ["mouse", "keyboard", "no script"])


@dataclass
class Merchant:
    """A merchant whose only account is at a simulated processor."""

    cashier: Cashier
    clock: WallClock
    web: WebSettings
    processor: Any

    def address(self) -> str:
        """Issue an invoice, and return the address of its link."""
        self.cashier.issue(
            number="INV-1", customer=Customer("C-1"), total=usd("30.00"), due="2099-12-01"
        )
        return self.cashier.link("INV-1", key="k").address(self.web.root)

    def hear(self) -> None:
        """Take the webhooks that wait."""
        waiting, self.processor.webhooks = self.processor.webhooks, []
        for headers, body in waiting:
            sent = Callback(
                method="POST",
                path="/",
                headers=headers,
                body=body,
                received_at=self.cashier.now(),
            )
            assert self.cashier.receive("account", sent).status == 200
        self.cashier.apply_callbacks()

    def received(self) -> list[str]:
        lines = self.cashier.receipt_lines(oldest_first=True)
        return [str(each.receipt.amount.decimal) for each in lines if each.receipt.kind.inward]

    def open(self) -> str:
        return str(self.cashier.invoice("INV-1").open.decimal)


@contextmanager
def open_merchant(settings: dict[str, Any], name: str, processor: Any) -> Generator[Merchant]:
    apps: list[Any] = []
    clock = WallClock()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await apps[0](scope, receive, send)

    with (
        Cashier.in_memory(
            gateways={"account": settings}, clock=clock, page_keys=[KEY], token_keys=[KEY]
        ) as cashier,
        asgi_served(app, lifespan="off", timeout_graceful_shutdown=1) as origin,
    ):
        web = WebSettings(
            payee="Alder Telecom", base_url=f"{origin}/pay", processors={"account": name}
        )
        apps.append(Starlette(routes=[Mount("/pay", pages(cashier, web))]))
        yield Merchant(cashier, clock, web, processor)
        assert cashier.fsck() == []


@pytest.fixture
def stripe() -> Iterator[Merchant]:
    processor = simulated_stripe.SimulatedStripe()
    with simulated_stripe.serving(processor) as url:
        settings = {
            "driver": "stripe",
            "secret_key": processor.secret_key,
            "webhook_secrets": [processor.signing_secret],
            "api_base": url,
        }
        with open_merchant(settings, "Stripe", processor) as merchant:
            yield merchant


@pytest.fixture
def net() -> Iterator[Merchant]:
    processor = simulated_authorize_net.SimulatedAuthorizeNet()
    with simulated_authorize_net.serving(processor) as url:
        settings = {
            "driver": "authorize_net",
            "login": processor.login,
            "transaction_key": processor.transaction_key,
            "signature_keys": processor.signature_key,
            "api_base": url,
            "form_base": url,
        }
        with open_merchant(settings, "Authorize.Net", processor) as merchant:
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


def policy_complaints(one: Payer) -> list[str]:
    return [each for each in one.shown.complaints if "Content Security Policy" in each]


@each_way
def test_a_card_is_declined_and_corrected_on_stripes_page(
    stripe: Merchant, payer: Callable[[str], Payer], way: str
) -> None:
    one = payer(way)

    one.open(stripe.address())
    one.press("Pay $30.00 with Stripe")
    one.sees("Checkout (simulated)")
    one.type("Card number", "4000000000000002")
    one.press("Pay")
    one.sees("Not done (simulated)")
    one.type("Card number", "4242424242424242")
    one.press("Pay")

    one.sees(PAID)
    assert (stripe.received(), stripe.open()) == (["30.00"], "0.00")
    assert policy_complaints(one) == []


@each_way
def test_who_left_stripes_page_unpaid_goes_there_again(
    stripe: Merchant, payer: Callable[[str], Payer], way: str
) -> None:
    one = payer(way)
    one.open(stripe.address())
    one.press("Pay $30.00 with Stripe")
    one.sees("Checkout (simulated)")
    [payment] = stripe.cashier.payments()
    page = stripe.cashier.payment_page(payment).address(stripe.web.root)

    one.open(f"{page}/back")
    one.sees("You have not paid yet")
    one.press("Continue at Stripe")
    one.sees("Checkout (simulated)")
    one.type("Card number", "4242424242424242")
    one.press("Pay")
    # Stripe was asked a moment ago, before the payer paid, and is not asked again so soon.
    one.sees("We are waiting for Stripe")
    one.reads("Please do not pay again.")
    stripe.clock.advance(seconds=11)
    one.press("Check again")

    one.sees(PAID)
    assert (stripe.received(), stripe.open()) == (["30.00"], "0.00")


@each_way
def test_a_form_with_a_token_leads_to_authorize_net_and_its_webhook_to_the_receipt(
    net: Merchant, payer: Callable[[str], Payer], way: str
) -> None:
    one = payer(way)

    one.open(net.address())
    one.press("Pay $30.00 with Authorize.Net")
    if way == "no script":
        one.sees("Continue at Authorize.Net")
        one.press("Continue")
    one.sees("Pay (simulated)")
    one.type("Card number", "4111111111111111")
    one.type("Expires (YYYY-MM)", "2099-12")
    one.type("Security code", "900")
    one.press("Send")
    one.page.wait_for_url(f"{net.web.root}/p/**")
    net.hear()
    one.page.reload()

    one.sees(PAID)
    assert (net.received(), net.open()) == (["30.00"], "0.00")
    assert policy_complaints(one) == []
    # The token is for the payer's browser: neither the link nor any other page has it.
    assert "token" not in one.page.content()


def test_before_authorize_net_lists_a_payment_the_page_does_not_say_that_nothing_was_paid(
    net: Merchant, payer: Callable[[str], Payer]
) -> None:
    one = payer("mouse")
    one.open(net.address())
    one.press("Pay $30.00 with Authorize.Net")
    one.sees("Pay (simulated)")
    [payment] = net.cashier.payments()
    page = net.cashier.payment_page(payment).address(net.web.root)

    one.open(f"{page}/back")

    one.sees("We are waiting for Authorize.Net")
    one.reads("Please do not pay again.")
    assert net.received() == []
