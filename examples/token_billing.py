"""Charge by token at four simulated card processors on this machine.

    python -m examples.token_billing     # in a clone of the repository, which has the simulations

At Stripe, Authorize.Net, Windcave and Secure Hosting a customer gives a card on the processor's
page, and pays the first month. Three months follow without the customer, by the token that the
page left: one is paid, one is declined, and the answer to the last is lost. It is not charged
again, but found: by an inquiry at three of them, and by the callback at Secure Hosting, which
cannot be asked. The last lines compare each ledger with its processor. Nothing leaves this machine.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
from cryptography.fernet import Fernet

from paygate import (
    Callback,
    Cashier,
    ChargeReason,
    Customer,
    Mandate,
    Money,
    Payment,
    PaymentMethod,
    PostForm,
    Redirect,
)
from paygate.errors import ItemAlreadyBeingPaid
from paygate.testing import FakeClock
from tests.support import (
    simulated_authorize_net,
    simulated_securehosting,
    simulated_stripe,
    simulated_windcave,
)

ADA = Customer("C-1", name="Ada Lovelace", email="ada@example.org")
BACK = "https://portal.example/payments/return?payment={payment}"
CARDS = "https://portal.example/cards/return"
NOTIFIED = "https://portal.example/callbacks/cards"


@dataclass
class Place:
    """One processor: its account, and what a payer or its own staff would do there."""

    name: str
    currency: str
    account: dict[str, Any]
    first_page: Callable[[Cashier, Mandate], PaymentMethod]
    refuse_the_card: Callable[[], None]
    breaks: list[str]
    received: Callable[[], Decimal]
    callbacks: Callable[[], list[str]] = list


def main() -> int:
    logging.disable()  # unknown outcomes are logged; here they are the story
    wrong = 0
    with ExitStack() as running:
        clock = FakeClock()  # skips the months between
        for place in places(running, clock):
            account = {**place.account, "driver": place.account["driver"]}
            given: dict[str, Any] = {"token_keys": [Fernet.generate_key()], "clock": clock}
            with Cashier.in_memory(gateways={"cards": account}, **given) as cashier:
                bill_by_token(place, cashier, clock)
                wrong += len(cashier.fsck())
    return 1 if wrong else 0


def bill_by_token(place: Place, cashier: Cashier, clock: FakeClock) -> None:
    print(f"{place.name}:")
    mandate = Mandate(text_version="2026-01", accepted_at=clock.now())
    card = place.first_page(cashier, mandate)
    hear(place, cashier, clock)

    clock.advance(days=30)
    show("a month later", charge(place, cashier, card, "INV-2"))
    hear(place, cashier, clock)

    clock.advance(days=30)
    place.breaks.append("lost answer")
    lost = charge(place, cashier, card, "INV-3")
    show("then an answer is lost", lost)
    try:
        charge(place, cashier, card, "INV-3", again=True)
    except ItemAlreadyBeingPaid:
        print("  it is not charged again")
    hear(place, cashier, clock)
    clock.advance(minutes=10)
    cashier.recover()
    show("and found", cashier.payment(lost))

    clock.advance(days=30)
    place.refuse_the_card()
    show("at last the bank says no", charge(place, cashier, card, "INV-4"))
    hear(place, cashier, clock)
    booked = sum((each.received.decimal for each in cashier.payments()), Decimal(0))
    same = "agree" if booked == place.received() else "DIFFER"
    print(f"  ledger and processor {same}: {booked} {place.currency}")


def bill(place_currency: str, cashier: Cashier, number: str) -> str:
    total = Money.of(place_currency, "30.00")
    cashier.issue(number=number, customer=ADA, total=total, due="2026-12-01")
    return number


def charge(
    place: Place, cashier: Cashier, card: PaymentMethod, number: str, *, again: bool = False
) -> Payment:
    return cashier.collect(
        bill(place.currency, cashier, number),
        via="cards",
        method=card,
        payer_present=False,
        reason=ChargeReason.RECURRING,
        key=f"{number}-{'again' if again else 'run'}",
    )


def hear(place: Place, cashier: Cashier, clock: FakeClock) -> None:
    """Receive what the processor sends, as the application for callbacks does."""
    for query in place.callbacks():
        call = Callback(
            method="GET",
            path="/callbacks/cards",
            headers={},
            body=b"",
            query=query,
            received_at=clock.now(),
        )
        cashier.receive("cards", call)
    cashier.apply_callbacks()


def show(what: str, payment: Payment) -> None:
    print(f"  {what}: {payment.status} {payment.code}".rstrip())


# --- The four processors ------------------------------------------------------------------


def places(running: ExitStack, clock: FakeClock) -> list[Place]:
    return [
        stripe(running, clock),
        authorize_net(running, clock),
        windcave(running, clock),
        securehosting(running),
    ]


def stripe(running: ExitStack, clock: FakeClock) -> Place:
    processor = simulated_stripe.SimulatedStripe(now=clock.now)
    running.enter_context(simulated_stripe.serving(processor))

    def first_page(cashier: Cashier, mandate: Mandate) -> PaymentMethod:
        # Stripe's page keeps the card, and the first month is charged to it.
        change = cashier.enroll(ADA, via="cards", return_url=CARDS, mandate=mandate, key="card")
        assert isinstance(change.action, Redirect)
        httpx.post(change.action.url, data={"number": "4242424242424242"})
        card = cashier.inquire_method(change).method
        assert card is not None
        number = bill("USD", cashier, "INV-1")
        show("on the page", cashier.collect(number, via="cards", method=card, key="INV-1"))
        return card

    def refuse() -> None:
        for each in processor.all("payment_method"):
            each["simulated"]["card"] = "pm_card_visa_chargeDeclined"

    def received() -> Decimal:
        captured = [each["amount_captured"] for each in processor.all("charge")]
        return sum((Decimal(each) / 100 for each in captured), Decimal(0))

    account = {
        "driver": "stripe",
        "secret_key": processor.secret_key,
        "api_base": processor.url,  # leave it out to use Stripe itself
    }
    return Place("Stripe", "USD", account, first_page, refuse, processor.breaks, received)


def authorize_net(running: ExitStack, clock: FakeClock) -> Place:
    processor = simulated_authorize_net.SimulatedAuthorizeNet(now=clock.now)
    url = running.enter_context(simulated_authorize_net.serving(processor))
    visa = {"cardNumber": "4111111111111111", "expirationDate": "2030-12", "cardCode": "900"}

    def first_page(cashier: Cashier, mandate: Mandate) -> PaymentMethod:
        number = bill("USD", cashier, "INV-1")
        payment = cashier.collect(
            number, via="cards", kind="redirect", payer=ADA, return_url=BACK, key="INV-1"
        )
        form = cashier.action_of(payment)
        assert isinstance(form, PostForm)
        assert form.token is not None
        # The payer's browser opens the form, and submits it.
        token = {form.token_field: form.token.reveal()}
        httpx.post(form.url, data=token).raise_for_status()
        httpx.post(f"{form.url}/send", data={**token, **visa})
        show("on the page", cashier.complete(payment).payment)
        return kept(cashier, payment, mandate)

    def refuse() -> None:
        processor.declines.add("1111")

    def received() -> Decimal:
        taken = [each for each in processor.transactions.values() if each.code == "1"]
        return sum((each.settles for each in taken), Decimal(0))

    account = {
        "driver": "authorize_net",
        "login": processor.login,
        "transaction_key": processor.transaction_key,
        "api_base": url,  # leave these two out to use Authorize.Net itself
        "form_base": url,
    }
    return Place("Authorize.Net", "USD", account, first_page, refuse, processor.breaks, received)


def windcave(running: ExitStack, clock: FakeClock) -> Place:
    processor = simulated_windcave.SimulatedWindcave(now=clock.now)
    url = running.enter_context(simulated_windcave.serving(processor))

    def first_page(cashier: Cashier, mandate: Mandate) -> PaymentMethod:
        number = bill("NZD", cashier, "INV-1")
        payment = cashier.collect(
            number,
            via="cards",
            payer=ADA,
            return_url=BACK,
            save_method=True,
            mandate=mandate,
            reason=ChargeReason.RECURRING,
            key="INV-1",
        )
        assert isinstance(payment.action, Redirect)
        httpx.post(payment.action.url, data={"answer": "pay"})
        paid = cashier.complete(payment).payment
        show("on the page", paid)
        assert paid.method is not None
        return cashier.method(paid.method)

    def refuse() -> None:
        for token in processor.cards:
            processor.cards[token] = "5431111111111228"

    account = {
        "driver": "windcave",
        "username": "ShopRest_Dev",
        "api_key": "a3f1e5c7d9b2468024681357",
        "currencies": ["NZD"],
        "pxpost_username": "ShopPxPost_Dev",  # without PxPost, a lost answer is for a person
        "pxpost_password": "pxpost-password",
        "api_base": url,  # leave it out to use Windcave itself
    }
    return Place(
        "Windcave", "NZD", account, first_page, refuse, processor.breaks, processor.received
    )


def securehosting(running: ExitStack) -> Place:
    processor = simulated_securehosting.SimulatedSecureHosting()
    url = running.enter_context(simulated_securehosting.serving(processor))
    waits = processor.callbacks

    def calls() -> list[str]:
        sent = [*waits]
        waits.clear()
        return sent

    def first_page(cashier: Cashier, mandate: Mandate) -> PaymentMethod:
        number = bill("GBP", cashier, "INV-1")
        payment = cashier.collect(number, via="cards", payer=ADA, return_url=BACK, key="INV-1")
        assert isinstance(payment.action, Redirect)
        form = {**payment.action.fields, "card": "4242424242424242"}
        httpx.post(payment.action.url, data=form)
        hear(place, cashier, FakeClock())
        show("on the page", cashier.payment(payment))
        return kept(cashier, payment, mandate)

    def refuse() -> None:
        for each in processor.transactions.values():
            each["card"] = "5434849999999993"

    account = {
        "driver": "securehosting",
        "shreference": processor.shreference,
        "checkcode": processor.checkcode,
        "shared_secret": processor.secret,
        "phrase": processor.phrase,
        "callback_url": NOTIFIED,
        "page_amounts": "believe",
        "api_base": url,  # leave it out to use Secure Hosting itself
    }
    place = Place(
        "Secure Hosting",
        "GBP",
        account,
        first_page,
        refuse,
        processor.breaks,
        processor.received,
        calls,
    )
    return place


def kept(cashier: Cashier, payment: Payment, mandate: Mandate) -> PaymentMethod:
    """Store the card of a payment that was just made, with the payer's permission."""
    change = cashier.enroll(
        ADA, via="cards", kind="card", from_payment=payment.id, mandate=mandate, key="card"
    )
    assert change.method is not None
    return change.method


if __name__ == "__main__":
    sys.exit(main())
