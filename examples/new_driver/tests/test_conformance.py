"""Test the driver for Harbour Pay with the conformance kit."""

import hashlib
import hmac
from datetime import datetime
from pathlib import Path

from paygate_harbour import Harbour

from paygate.driver import Callback, Kind, Money, Operation
from paygate.testing.conformance import (
    AuthorizeConformance,
    CallbackConformance,
    CaptureConformance,
    ChargeConformance,
    CheckConformance,
    CompleteConformance,
    EnrollConformance,
    FeedConformance,
    ForgetConformance,
    GatewayConformance,
    LookUpConformance,
    RefundConformance,
    Subject,
    VoidConformance,
    WithdrawConformance,
)

KEY = "seal-9Zt4Qw"


class Cards(Subject):
    driver = Harbour
    settings = {"login": "bTpwYXNzd29yZA", "webhook_keys": KEY, "merchant": "m-1"}  # noqa: RUF012
    transcripts = Path(__file__).parent / "transcripts"

    def amount_text(self, money: Money) -> str:
        """Write "10,99", as the manual of Harbour Pay does."""
        return f"{money.decimal:f}".replace(".", ",")

    def signed(self, body: bytes, at: datetime) -> Callback:
        """Sign as the manual says: HMAC-SHA-512 over the instant, a new line, and the body."""
        instant = str(int(at.timestamp()))
        seal = hmac.new(KEY.encode(), f"{instant}\n".encode() + body, hashlib.sha512).hexdigest()
        return Callback(
            method="POST",
            path="/callbacks/harbour",
            headers={"harbour-seal": f"{instant}:{seal}"},
            body=body,
            received_at=at,
        )


class Debits(Cards):
    kind = Kind.E_CHECK
    transcripts = Cards.transcripts / "debit"


class Pages(Cards):
    kind = Kind.REDIRECT
    transcripts = Cards.transcripts / "page"


class TestGateway(Cards, GatewayConformance):
    name = "harbour"


class TestCharge(Cards, ChargeConformance):
    pass


class TestAuthorize(Cards, AuthorizeConformance):
    pass


class TestCapture(Cards, CaptureConformance):
    pass


class TestVoid(Cards, VoidConformance):
    pass


class TestRefund(Cards, RefundConformance):
    pass


class TestEnroll(Cards, EnrollConformance):
    pass


class TestForget(Cards, ForgetConformance):
    pass


class TestCheck(Cards, CheckConformance):
    pass


class TestCallbacks(Cards, CallbackConformance):
    pass


class TestFeed(Cards, FeedConformance):
    pass


class TestLookUp(Cards, LookUpConformance):
    pass


class TestFoundHold(Cards, LookUpConformance):
    operation = Operation.AUTHORIZE


class TestFoundCapture(Cards, LookUpConformance):
    operation = Operation.CAPTURE


class TestFoundVoid(Cards, LookUpConformance):
    operation = Operation.VOID


class TestFoundRefund(Cards, LookUpConformance):
    operation = Operation.REFUND


class TestFoundStoredCard(Cards, LookUpConformance):
    operation = Operation.ENROLL


class TestDebit(Debits, ChargeConformance):
    pass


class TestRefundedDebit(Debits, RefundConformance):
    pass


class TestPage(Pages, ChargeConformance):
    pass


class TestPaidPage(Pages, CompleteConformance):
    pass


class TestWithdrawnPage(Pages, WithdrawConformance):
    pass


class TestFoundPage(Pages, LookUpConformance):
    operation = Operation.CHARGE


class TestFoundPaidPage(Pages, LookUpConformance):
    operation = Operation.COMPLETE


class TestFoundEndedPage(Pages, LookUpConformance):
    operation = Operation.WITHDRAW
