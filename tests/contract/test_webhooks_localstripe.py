"""
The whole way round with a server that is not ours: it charges, and calls us over HTTP.

localstripe signs its webhooks as Stripe does and sends them to the mounted
application behind a real server. In the end its own list of charges is compared
with our books, movement by movement. It sends one second later, once, and tells
nothing of a payer who failed at the bank, or of refunds.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from cryptography.fernet import Fernet
from starlette.applications import Starlette
from starlette.routing import Mount

from paygate import Cashier, Money, Payment, PaymentStatus
from paygate.domain.action import ScriptStep
from paygate.domain.callback import InboxState, StoredCallback
from paygate.service.account import Timing
from paygate.web import callbacks
from tests.service.world import Doomed, PowerCut
from tests.web.serving import asgi_served

KEY = "sk_test_12345"
SECRET = "whsec_mounted"
PATIENCE_S = 30.0
THREE_D_SECURE = "4000000000003220"
NO_FEEDS = Timing(feed_pause=None)


@dataclass
class Till:
    """Our books, the application that is mounted, and the server that is not ours."""

    cashier: Cashier
    ledger: str
    app: str
    stripe: str

    def asked(self, path: str, **form: str) -> Any:
        headers = {"Authorization": f"Bearer {KEY}"}
        body = urlencode(form).encode() if form else None
        request = Request(self.stripe + path, body, headers)  # noqa: S310  (loopback)
        with urlopen(request, timeout=20) as answer:  # noqa: S310  (loopback)
            return json.load(answer)

    def issue(self, number: str, total: str) -> str:
        total_ = Money.of("USD", total)
        return self.cashier.issue(
            number=number, customer="C", total=total_, due="2026-12-01"
        ).number

    def pay(self, number: str, method: str = "pm_card_visa") -> Payment:
        return self.cashier.collect(number, via="card", method=method, key=f"pay-{number}")

    def card(self, number: str) -> str:
        facts = {"exp_month": "12", "exp_year": "2040", "cvc": "123", "number": number}
        form = {f"card[{name}]": value for name, value in facts.items()}
        token: str = self.asked("/v1/payment_methods", type="card", **form)["id"]
        return token

    def authenticate(self, payment: Payment, *, success: bool) -> None:
        """Do what the payer does in the bank's window."""
        step = self.cashier.action_of(payment)
        assert isinstance(step, ScriptStep)
        assert step.client_secret is not None
        path = f"/v1/payment_intents/{payment.reference}/_authenticate"
        proof = {"client_secret": step.client_secret.reveal(), "success": str(success).lower()}
        self.asked(path, **proof)

    def came_back(self, payment: Payment) -> str:
        """Come back from the bank to our page, and read it."""
        address = f"{self.app}/payments/card/return?payment={payment.id}"
        with urlopen(address, timeout=20) as answer:  # noqa: S310  (loopback)
            text: str = answer.read().decode()
            return text

    def told(self, *payments: Payment) -> list[StoredCallback]:
        """Wait until the server has told the end of each of *payments*."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            stored = [
                each for each in self.cashier.callbacks() if each.type.startswith("payment_intent.")
            ]
            if all(any(about(each, payment) for each in stored) for payment in payments):
                return stored
            assert time.monotonic() < deadline, "a webhook did not come"
            time.sleep(0.05)

    def assert_agreed(self) -> None:
        """What the server charged for us is what we booked, and nothing else."""
        payments = self.cashier.payments()
        ours = {payment.reference for payment in payments}
        charged = Counter(
            (charge["id"], charge["amount"], charge["currency"])
            for charge in self.asked("/v1/charges?limit=100")["data"]
            if charge["payment_intent"] in ours and charge["status"] == "succeeded"
        )
        booked = Counter(
            (receipt.movement_id, receipt.amount.minor, receipt.amount.currency.lower())
            for payment in payments
            for receipt in self.cashier.receipts(payment)
        )
        assert charged == booked
        assert self.cashier.fsck() == []


def about(stored: StoredCallback, payment: Payment) -> bool:
    return payment.id.encode() in stored.body


@pytest.fixture
def till(localstripe: str, tmp_path: Path) -> Iterator[Till]:
    ledger, gateways = f"sqlite:///{tmp_path}/ledger.db", {"card": settings(localstripe)}
    keys = [Fernet.generate_key()]  # without one, what came word for word is not kept
    with Cashier.open(ledger, gateways=gateways, timing=NO_FEEDS, token_keys=keys) as cashier:
        app = Starlette(routes=[Mount("/payments", callbacks(cashier))])
        with asgi_served(app) as url:
            subscribe(localstripe, f"{url}/payments/card")
            yield Till(cashier, ledger, url, localstripe)
            subscribe(localstripe, "http://127.0.0.1:9/nobody")


def settings(address: str) -> dict[str, Any]:
    secrets = ("whsec_next", SECRET)
    return {
        "driver": "stripe",
        "secret_key": KEY,
        "api_base": address,
        "publishable_key": "pk_test_1",
        "webhook_secrets": secrets,
    }


def subscribe(localstripe: str, url: str) -> None:
    request = Request(  # noqa: S310  (loopback)
        f"{localstripe}/_config/webhooks/w1",
        json.dumps({"url": url, "secret": SECRET}).encode(),
        {"content-type": "application/json"},
    )
    with urlopen(request, timeout=10):  # noqa: S310  (loopback)
        pass


def test_what_the_server_charged_and_told_is_in_the_books_once(till: Till) -> None:
    paid = [till.pay(till.issue(f"P-{number}", f"{number}.50")) for number in (1, 2, 3)]
    declined = till.pay(till.issue("D", "9.00"), "pm_card_chargeCustomerFail")

    stored = till.told(*paid, declined)
    till.cashier.recover()

    assert [till.cashier.payment(each).received.minor for each in paid] == [150, 250, 350]
    assert till.cashier.payment(declined).status is PaymentStatus.DECLINED
    assert {each.type.partition(".")[2] for each in stored} == {"succeeded", "payment_failed"}
    ours = [each for each in till.cashier.callbacks() if each.id in {one.id for one in stored}]
    assert {each.state for each in ours if any(about(each, one) for one in paid)} == {
        InboxState.APPLIED
    }
    till.assert_agreed()


def test_a_webhook_tells_what_a_process_that_died_did_not_hear(
    till: Till, localstripe: str
) -> None:
    number = till.issue("A", "30.00")
    # Written down, created, its name written down, charged: the answer dies with the process.
    with Doomed.open(till.ledger, gateways={"card": settings(localstripe)}) as doomed:
        doomed.dies_at, doomed.lost, doomed.steps = 4, True, []
        with pytest.raises(PowerCut):
            doomed.collect(number, via="card", method="pm_card_visa", key="k")
    [payment] = till.cashier.payments()
    assert payment.status is PaymentStatus.PROCESSING

    till.told(payment)
    till.cashier.apply_callbacks()

    payment = till.cashier.payment(payment)
    assert (payment.status, payment.received.minor) == (PaymentStatus.SUCCEEDED, 3000)
    assert till.cashier.invoice("A").open.minor == 0
    till.assert_agreed()


@pytest.mark.parametrize("back_first", [False, True])
def test_a_payer_who_proves_himself_at_the_bank_has_paid(till: Till, *, back_first: bool) -> None:
    payment = till.pay(till.issue("A", "30.00"), till.card(THREE_D_SECURE))
    assert payment.status is PaymentStatus.REQUIRES_ACTION
    if not back_first:  # a return is looked into once in a while
        assert till.came_back(payment) == "Your payment is not finished yet."

    till.authenticate(payment, success=True)
    if back_first:
        assert till.came_back(payment) == "Thank you. Your payment has arrived."
        assert till.cashier.payment(payment).received.minor == 3000
    till.told(payment)
    till.cashier.apply_callbacks()

    assert till.cashier.payment(payment).status is PaymentStatus.SUCCEEDED
    assert till.came_back(payment) == "Thank you. Your payment has arrived."
    till.assert_agreed()


def test_a_payer_who_fails_at_the_bank_has_not_paid(till: Till) -> None:
    payment = till.pay(till.issue("A", "30.00"), till.card(THREE_D_SECURE))

    till.authenticate(payment, success=False)

    assert "Thank you" not in till.came_back(payment)
    assert till.cashier.payment(payment).received.minor == 0
    again = till.cashier.collect("A", via="card", method="pm_card_visa", key="another-card")
    assert again.status is PaymentStatus.SUCCEEDED
    till.assert_agreed()
