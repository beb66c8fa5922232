"""Payarena is held to the kit that every driver is held to."""

from pathlib import Path

from paygate.domain.kind import Kind
from paygate.domain.money import Money
from paygate.drivers.payarena import Payarena
from paygate.testing.conformance import (
    ChargeConformance,
    GatewayConformance,
    LookUpConformance,
    Subject,
)


class Pages(Subject):
    """The payer pays on Payarena's page."""

    driver = Payarena
    kind = Kind.REDIRECT
    amount = Money("NGN", 199999)
    other_amount = Money("NGN", 5015)
    other_currency = "USD"
    settings = {  # noqa: RUF012  (said once, and never changed)
        "merchant_id": "SIMULATED1",
        "secret_key": "simulated-secret-key",
    }
    transcripts = Path(__file__).parent / "transcripts"

    def amount_text(self, money: Money) -> str:
        return f"{money.decimal:f}".removesuffix(".00")


class TestGateway(Pages, GatewayConformance):
    name = "payarena"


class TestCharge(Pages, ChargeConformance):
    pass


class TestLookUp(Pages, LookUpConformance):
    pass
