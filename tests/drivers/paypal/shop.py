"""A cashier whose only account is at the simulated PayPal, in the process of the test."""

from __future__ import annotations

import base64
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256

from paygate import Cashier, Customer, Mandate, Money, Payment
from paygate.dialogue import Request, Response
from paygate.errors import NoResponse, NotAuthentic
from paygate.gateway import Callback
from paygate.testing import FakeClock
from tests.drivers.paypal.certificates import signer
from tests.support.simulated_paypal import SimulatedPayPal

ADA = Customer("C-1", name="Ada Lovelace", email="ada@example.org", language="en")
MANDATE = Mandate(text_version="2026-1", accepted_at=datetime(2026, 1, 1, tzinfo=UTC))
BACK = "https://shop.example/back?payment={payment}"
KEYS = [Fernet.generate_key()]


def sign(text: bytes) -> str:
    """Sign the text of a transmission with the certificate of the tests."""
    signature = signer().key.sign(text, padding.PKCS1v15(), SHA256())
    return base64.b64encode(signature).decode()


def simulated(clock: FakeClock, **given: Any) -> SimulatedPayPal:
    """Make an account that signs its webhooks."""
    return SimulatedPayPal(now=clock.now, sign=sign, certificate=signer().chain, **given)


class InProcess:
    """Carries requests to a simulated PayPal without a network."""

    def __init__(self, paypal: SimulatedPayPal) -> None:
        self.paypal = paypal
        self.sent: list[Request] = []

    def exchange(self, request: Request, /) -> Response:
        self.sent.append(request)
        answer = self.paypal.call(request.method, request.url, request.headers, request.body)
        if answer is None:
            raise NoResponse("the connection broke")
        headers = {"date": format_datetime(self.paypal.now(), usegmt=True), **answer.headers}
        return Response(status=answer.status, headers=headers, body=answer.body)

    def close(self) -> None:
        """Nothing is open."""

    def abandon(self) -> None:
        """Nothing is open."""


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


class Shop:
    """A merchant who takes PayPal."""

    def __init__(
        self,
        paypal: SimulatedPayPal,
        clock: FakeClock,
        *,
        ledger: Path | None = None,
        **settings: Any,
    ) -> None:
        self.paypal, self.clock = paypal, clock
        self.wire = InProcess(paypal)
        self.account = {
            "driver": "paypal",
            "client_id": paypal.client_id,
            "client_secret": paypal.client_secret,
            "merchant_id": paypal.merchant_id,
            "webhook_id": paypal.webhook_id,
            "webhook_authorities": signer().root,
            "reports": True,
            "vault": True,
            **settings,
        }
        given: dict[str, Any] = {
            "gateways": {"paypal": self.account},
            "clock": clock,
            "token_keys": KEYS,
            "transport": self.wire,
        }
        if ledger is None:
            self.cashier = Cashier.in_memory(**given)
        else:
            self.cashier = Cashier.open(f"sqlite:///{ledger}", **given)
        self.count = 0

    def owe(self, total: Money | None = None) -> str:
        self.count += 1
        number = f"INV-{self.count}"
        self.cashier.issue(
            number=number, customer=ADA, total=total or usd("30.00"), due="2031-12-01"
        )
        return number

    def page(self, total: Money | None = None, **given: Any) -> Payment:
        """Send the payer to PayPal's page."""
        number = self.owe(total)
        return self.cashier.collect(
            number, via="paypal", key=number, return_url=BACK, payer=ADA, **given
        )

    def hold(self, **given: Any) -> Payment:
        number = self.owe()
        return self.cashier.authorize(
            number, via="paypal", key=number, return_url=BACK, payer=ADA, **given
        )

    def approved(self, payer: str = "ada", **given: Any) -> Payment:
        """Send the payer to the page, and let them approve."""
        payment = self.page(**given)
        self.paypal.approve(payment.reference, payer)
        return payment

    def paid(self, **given: Any) -> Payment:
        """Take a payment whose payer approves and comes back."""
        return self.back(self.approved(**given))

    def back(self, payment: Payment, **parameters: str) -> Payment:
        """Let the payer come back from the page."""
        told = {"token": payment.reference, "PayerID": "X", **parameters}
        return self.cashier.complete(payment, parameters=told).payment

    # --- What PayPal sends ----------------------------------------------------------------

    def waiting(self) -> list[tuple[dict[str, str], bytes]]:
        waiting, self.paypal.webhooks = self.paypal.webhooks, []
        return waiting

    def deliver(self, headers: dict[str, str], body: bytes) -> int:
        """Receive one webhook; return the status of the reply."""
        sent = Callback(
            method="POST",
            path="/callbacks/paypal",
            headers=headers,
            body=body,
            received_at=self.clock.now(),
        )
        return self.cashier.receive("paypal", sent).status

    def hear(self) -> None:
        """Receive the webhooks that wait, and apply them."""
        for headers, body in self.waiting():
            assert self.deliver(headers, body) == 200
        self.cashier.apply_callbacks()

    def hear_all(self) -> None:
        """Receive the webhooks that wait, also those that are refused."""
        for headers, body in self.waiting():
            with suppress(NotAuthentic):
                self.deliver(headers, body)
        self.cashier.apply_callbacks()

    def poll(self, **later: float) -> None:
        """Let time pass, and do what is due: inquiries, the inbox and the feed."""
        self.clock.advance(None, **(later or {"minutes": 6}))
        self.cashier.recover()

    def now(self, payment: Payment) -> Payment:
        return self.cashier.payment(payment.id)

    def posts(self, end: str) -> list[Any]:
        """Return the bodies of what was posted to paths that end like this."""
        return [
            body for way, path, body in self.paypal.asked if way == "POST" and path.endswith(end)
        ]
