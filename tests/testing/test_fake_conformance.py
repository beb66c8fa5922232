"""The fake, in memory and over loopback, is held to the kit that every driver is held to."""

import hashlib
import hmac
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from paygate.domain.kind import Kind, Operation
from paygate.domain.money import Money
from paygate.gateway import Callback
from paygate.testing import FakeClock, FakeKiosk
from paygate.testing.conformance import (
    NOW,
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
    QuestionConformance,
    RefundConformance,
    Subject,
    VoidConformance,
    WithdrawConformance,
)
from paygate.testing.fake import FakeGateway, LoopbackGateway

TRANSCRIPTS = Path(__file__).parent / "transcripts"
SIGNING = "fake-signing-7Rv2"


class Cards(Subject):
    driver = FakeGateway
    settings = {"kind": "card", "signing_key": SIGNING}  # noqa: RUF012  (never changed)
    transcripts = TRANSCRIPTS / "card"

    def signed(self, body: bytes, at: datetime) -> Callback:
        instant = str(int(at.timestamp()))
        signed = instant.encode() + b"." + body
        mac = hmac.new(SIGNING.encode(), signed, hashlib.sha256).hexdigest()
        return Callback(
            method="POST",
            path="/callbacks/fake",
            headers={"fake-signature": f"t={instant},v1={mac}"},
            body=body,
            received_at=at,
        )


class TestGateway(Cards, GatewayConformance):
    name = "fake"


class TestCharge(Cards, ChargeConformance):
    pass


class TestAuthorize(Cards, AuthorizeConformance):
    pass


class TestComplete(Cards, CompleteConformance):
    pass


class TestCapture(Cards, CaptureConformance):
    pass


class TestVoid(Cards, VoidConformance):
    pass


class TestRefund(Cards, RefundConformance):
    pass


class TestWithdraw(Cards, WithdrawConformance):
    pass


class TestEnroll(Cards, EnrollConformance):
    pass


class TestForget(Cards, ForgetConformance):
    pass


class TestLookUp(Cards, LookUpConformance):
    pass


class TestFoundHold(Cards, LookUpConformance):
    operation = Operation.AUTHORIZE


class TestFoundCompletion(Cards, LookUpConformance):
    operation = Operation.COMPLETE


class TestFoundCapture(Cards, LookUpConformance):
    operation = Operation.CAPTURE


class TestFoundVoid(Cards, LookUpConformance):
    operation = Operation.VOID


class TestFoundRefund(Cards, LookUpConformance):
    operation = Operation.REFUND


class TestFoundWithdrawal(Cards, LookUpConformance):
    operation = Operation.WITHDRAW


class TestFoundStoredMethod(Cards, LookUpConformance):
    operation = Operation.ENROLL


class TestFeed(Cards, FeedConformance):
    pass


class TestCheck(Cards, CheckConformance):
    pass


class TestCallbacks(Cards, CallbackConformance):
    pass


# --- Its other kinds of payment ---------------------------------------------------------


class Checks(Cards):
    kind = Kind.E_CHECK
    settings = {"kind": "e_check", "signing_key": SIGNING}  # noqa: RUF012
    transcripts = TRANSCRIPTS / "e_check"


class TestCheckGateway(Checks, GatewayConformance):
    name = "fake"


class TestDebit(Checks, ChargeConformance):
    pass


class TestCheckVoid(Checks, VoidConformance):
    pass


class TestCheckRefund(Checks, RefundConformance):
    pass


class TestBankAccount(Checks, EnrollConformance):
    pass


class TestForgottenAccount(Checks, ForgetConformance):
    pass


@pytest.mark.parametrize("kind", [Kind.REDIRECT, Kind.VOUCHER, Kind.BITCOIN])
class TestPages:
    """The kinds for which the payer goes elsewhere, each with a class made for it."""

    def test_they_pass(self, kind: Kind) -> None:
        facts: dict[str, Any] = {
            "kind": kind,
            "settings": {"kind": str(kind), "signing_key": SIGNING},
            "transcripts": TRANSCRIPTS / kind,
        }
        classes: list[type[Subject]] = [ChargeConformance, WithdrawConformance]
        if kind is Kind.REDIRECT:
            classes += [CompleteConformance, RefundConformance]
        ran = 0
        for cases in classes:
            held: Any = type("Held", (Cards, cases), facts)()
            for name in [each for each in dir(held) if each.startswith("test_")]:
                try:
                    getattr(held, name)()
                except pytest.skip.Exception as reason:
                    assert str(reason).startswith("does not apply: ")  # noqa: PT017
                else:
                    ran += 1
        assert ran > 25


# --- Over loopback ------------------------------------------------------------------------


class Loopback(Subject):
    driver = LoopbackGateway
    settings = {"url": "http://127.0.0.1:4000", "signing_key": SIGNING}  # noqa: RUF012
    transcripts = TRANSCRIPTS / "card"
    signed = Cards.signed


class TestLoopbackCharge(Loopback, ChargeConformance):
    pass


class TestLoopbackRefund(Loopback, RefundConformance):
    pass


class TestLoopbackLookUp(Loopback, LookUpConformance):
    pass


class TestLoopbackCallbacks(Loopback, CallbackConformance):
    pass


class Kiosk(FakeKiosk):
    """A network of kiosks at the time of the kit."""

    def __init__(self, signing_key: str = SIGNING) -> None:
        super().__init__(clock=FakeClock(NOW), signing_key=signing_key)


class TestQuestions(QuestionConformance):
    driver = Kiosk
    settings = {}  # noqa: RUF012  (never changed)
    transcripts = TRANSCRIPTS / "card"
    kind = Kind.VOUCHER

    def gateway(self, **changed: Any) -> Any:
        return Kiosk(**changed)

    def asks(self, number: str, amount: Money) -> Callback:
        return Kiosk().ask(number, amount)

    def pays(self, number: str, amount: Money, transaction: str) -> Callback:
        return Kiosk().put_in(number, amount, transaction)

    def forged(self, number: str, amount: Money, transaction: str) -> Callback:
        return Kiosk(signing_key="another key").put_in(number, amount, transaction)
