"""Skrill is held to the kit that every driver is held to."""

import hashlib
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qsl

from paygate.domain.kind import Kind, Operation
from paygate.domain.money import Money
from paygate.drivers.skrill import Skrill
from paygate.gateway import Callback
from paygate.testing.conformance import (
    CallbackConformance,
    ChargeConformance,
    CheckConformance,
    GatewayConformance,
    LookUpConformance,
    RefundConformance,
    Subject,
)

SECRET_WORD = "secretword"


def signature(body: bytes, word: str = SECRET_WORD) -> str:
    """Return the signature of a report, as Skrill's page about MD5 describes it."""
    form = defaultdict(str, parse_qsl(body.decode("latin-1"), encoding="latin-1"))
    word = hashlib.md5(word.encode()).hexdigest().upper()  # noqa: S324  (Skrill's scheme)
    text = form["merchant_id"] + form["transaction_id"] + word
    text += form["mb_amount"] + form["mb_currency"] + form["status"]
    return hashlib.md5(text.encode()).hexdigest().upper()  # noqa: S324


class Pages(Subject):
    """The payer pays on Skrill's page."""

    driver = Skrill
    kind = Kind.REDIRECT
    amount = Money("EUR", 1999)
    other_amount = Money("EUR", 115)
    other_currency = "USD"
    settings = {  # noqa: RUF012  (said once, and never changed)
        "email": "merchant@example.com",
        "merchant_id": "4637827",
        "secret_word": SECRET_WORD,
        "api_password": "skrill123-api",
        "status_url": "https://shop.example/callbacks/skrill",
    }
    transcripts = Path(__file__).parent / "transcripts"
    other_listener = {"merchant_id": "4637828"}  # noqa: RUF012

    def amount_text(self, money: Money) -> str:
        return f"{money.decimal:f}"

    def signed(self, body: bytes, at: datetime) -> Callback:
        body = body.strip()
        return Callback(
            method="POST",
            path="/callbacks/skrill",
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=body + b"&md5sig=" + signature(body).encode(),
            received_at=at,
        )


class TestGateway(Pages, GatewayConformance):
    name = "skrill"


class TestCharge(Pages, ChargeConformance):
    pass


class TestRefund(Pages, RefundConformance):
    pass


class TestCheck(Pages, CheckConformance):
    pass


class TestCallbacks(Pages, CallbackConformance):
    pass


class TestLookUp(Pages, LookUpConformance):
    pass


class TestFoundRefund(Pages, LookUpConformance):
    operation = Operation.REFUND
