"""The terminal driver is held to the kit that every driver is held to."""

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

from paygate.domain.kind import Kind
from paygate.domain.money import Money
from paygate.drivers.terminal import Terminal
from paygate.gateway import Callback
from paygate.testing.conformance import (
    NOW,
    ChargeConformance,
    GatewayConformance,
    QuestionConformance,
    Subject,
    WithdrawConformance,
)

SENDER = "203.0.113.9"


class Kiosks(Subject):
    """Kiosks of a network that speaks osmp."""

    driver = Terminal
    kind = Kind.VOUCHER
    settings = {  # noqa: RUF012  (said once, and never changed)
        "dialect": "osmp",
        "merchant": "777",
        "currency": "USD",
        "allow": ["203.0.113.0/24"],
    }
    transcripts = Path(__file__).parent / "transcripts"


class TestGateway(Kiosks, GatewayConformance):
    name = "terminal"


class TestCharge(Kiosks, ChargeConformance):
    pass


class TestWithdraw(Kiosks, WithdrawConformance):
    pass


class TestQuestions(Kiosks, QuestionConformance):
    def sent(self, **query: str) -> Callback:
        return Callback(
            method="GET",
            path="/kiosk",
            headers={},
            body=b"",
            query=urlencode(query),
            received_at=NOW,
            sender=SENDER,
        )

    def asks(self, number: str, amount: Money) -> Callback:
        return self.sent(
            command="check", txn_id="0", account=number, sum=f"{amount.decimal:f}",
            ccy=amount.currency,
        )  # fmt: skip

    def pays(self, number: str, amount: Money, transaction: str) -> Callback:
        return self.sent(
            command="pay", txn_id=transaction, account=number, sum=f"{amount.decimal:f}",
            ccy=amount.currency,
        )  # fmt: skip

    def forged(self, number: str, amount: Money, transaction: str) -> Callback:
        return replace(self.pays(number, amount, transaction), sender="198.51.100.1")
