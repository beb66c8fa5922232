"""Remita is held to the kit that every driver is held to."""

from datetime import datetime
from pathlib import Path

from paygate.domain.kind import Kind, Operation
from paygate.domain.money import Money
from paygate.drivers.remita import Remita
from paygate.gateway import Callback
from paygate.testing.conformance import (
    CallbackConformance,
    ChargeConformance,
    CheckConformance,
    GatewayConformance,
    LookUpConformance,
    Subject,
    WithdrawConformance,
)

TOKEN = "a-long-random-text-of-our-own"


class Pages(Subject):
    """The payer pays at Remita."""

    driver = Remita
    kind = Kind.REDIRECT
    amount = Money("NGN", 199999)
    other_amount = Money("NGN", 5015)
    other_currency = "USD"
    settings = {  # noqa: RUF012  (said once, and never changed)
        "merchant_id": "2547916",
        "service_type_id": "4430731",
        "api_key": "1946-simulated",
        "callback_tokens": TOKEN,
    }
    transcripts = Path(__file__).parent / "transcripts"

    def amount_text(self, money: Money) -> str:
        return f"{money.decimal:f}".removesuffix(".00")

    def signed(self, body: bytes, at: datetime) -> Callback:
        return Callback(
            method="POST",
            path="/callbacks/remita",
            headers={"content-type": "application/json"},
            query=f"token={TOKEN}",
            body=body,
            received_at=at,
        )


class TestGateway(Pages, GatewayConformance):
    name = "remita"


class TestCharge(Pages, ChargeConformance):
    pass


class TestWithdraw(Pages, WithdrawConformance):
    pass


class TestCheck(Pages, CheckConformance):
    pass


class TestCallbacks(Pages, CallbackConformance):
    pass


class TestLookUp(Pages, LookUpConformance):
    pass


class TestFoundWithdrawal(Pages, LookUpConformance):
    operation = Operation.WITHDRAW
