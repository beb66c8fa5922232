"""Stripe is held to the kit that every driver is held to."""

import hashlib
import hmac
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from paygate.domain.kind import Kind, Operation
from paygate.domain.money import Money
from paygate.domain.secret import OneTimeToken, Secret
from paygate.drivers.stripe import Stripe
from paygate.gateway import Callback, Rail, StoredToken
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

SIGNING = "whsec_8Hq2vB"


class Cards(Subject):
    driver = Stripe
    settings = {  # noqa: RUF012  (said once, and never changed)
        "secret_key": "sk_test_4eC39HqLyjW",
        "webhook_secrets": [SIGNING],
        "account": "acct_1",
    }
    transcripts = Path(__file__).parent / "transcripts"
    methods = {  # noqa: RUF012
        OneTimeToken: OneTimeToken.of("pm_card_visa"),
        StoredToken: StoredToken(Secret("cus_9/pm_8")),
    }

    def amount_text(self, money: Money) -> str:
        """Write kronas as Stripe's page about currencies says: with two digits, always 00."""
        return f"{money.minor}00" if money.currency == "ISK" else str(money.minor)

    def signed(self, body: bytes, at: datetime) -> Callback:
        stamp = str(int(at.timestamp()))
        mac = hmac.new(SIGNING.encode(), stamp.encode() + b"." + body, hashlib.sha256)
        return Callback(
            method="POST",
            path="/callbacks/card",
            headers={"stripe-signature": f"t={stamp},v1={mac.hexdigest()}"},
            body=body,
            received_at=at,
        )


class StoredCards(Cards):
    """A stored card is charged in one request; a token is charged in two."""

    transcripts = Path(__file__).parent / "transcripts" / "stored"

    @property
    def rail(self) -> Rail:
        return replace(super().rail, methods=frozenset({StoredToken}))


class Pages(Cards):
    kind = Kind.REDIRECT
    transcripts = Path(__file__).parent / "transcripts" / "page"


class TestGateway(Cards, GatewayConformance):
    name = "stripe"


class TestCharge(Cards, ChargeConformance):
    pass


class TestAuthorize(Cards, AuthorizeConformance):
    pass


class TestStoredCharge(StoredCards, ChargeConformance):
    pass


class TestStoredAuthorize(StoredCards, AuthorizeConformance):
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


class TestFeed(Cards, FeedConformance):
    after = "evt_41"


class TestForget(Cards, ForgetConformance):
    pass


class TestLookUp(Cards, LookUpConformance):
    pass


class TestCheck(Cards, CheckConformance):
    pass


class TestCallbacks(Cards, CallbackConformance):
    pass


class TestPage(Pages, ChargeConformance):
    pass


class TestPaidPage(Pages, CompleteConformance):
    pass


class TestWithdrawnPage(Pages, WithdrawConformance):
    pass


class TestRefundedPage(Pages, RefundConformance):
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


class TestFoundEndedPage(Cards, LookUpConformance):
    operation = Operation.WITHDRAW


class TestFoundStoredCard(Cards, LookUpConformance):
    operation = Operation.ENROLL
