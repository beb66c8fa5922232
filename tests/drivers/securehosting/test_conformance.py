"""Secure Hosting is held to the kit that every driver is held to."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from paygate.domain.money import Money
from paygate.domain.secret import Secret
from paygate.drivers.securehosting import SecureHosting
from paygate.gateway import Callback, Enrollment, Rail, StoredToken
from paygate.testing.conformance import (
    CallbackConformance,
    ChargeConformance,
    EnrollConformance,
    GatewayConformance,
    RefundConformance,
    Subject,
)


class Cards(Subject):
    """A card is charged by the number of an earlier transaction."""

    driver = SecureHosting
    settings = {  # noqa: RUF012  (said once, and never changed)
        "shreference": "SH210001",
        "checkcode": "771122",
        "password": "account-password",
        "shared_secret": "sharedsecret",
        "callback_url": "https://shop.example/callbacks/cards",
        "phrase": "seal-phrase",
    }
    transcripts = Path(__file__).parent / "transcripts"
    methods = {StoredToken: StoredToken(Secret("1234567"))}  # noqa: RUF012
    amount = Money("GBP", 1999)
    other_amount = Money("GBP", 115)

    def amount_text(self, money: Money) -> str:
        """Write amounts as Secure Hosting does."""
        return f"{money.decimal:f}"

    @property
    def rail(self) -> Rail:
        return replace(super().rail, methods=frozenset({StoredToken}))

    def signed(self, body: bytes, at: datetime) -> Callback:
        return Callback(method="POST", path="/", headers={}, body=body, received_at=at)


class TestGateway(Cards, GatewayConformance):
    name = "securehosting"


class TestCharge(Cards, ChargeConformance):
    pass


class TestRefund(Cards, RefundConformance):
    pass


class TestEnroll(Cards, EnrollConformance):
    def enrollment(self, **given: Any) -> Enrollment:
        """Store the card of a payment."""
        return super().enrollment(**{"from_reference": "1234567", "method": None, **given})


class TestCallbacks(Cards, CallbackConformance):
    pass
