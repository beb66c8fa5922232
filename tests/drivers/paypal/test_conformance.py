"""PayPal is held to the kit that every driver is held to."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from paygate.dialogue import Request, Response
from paygate.domain.kind import Kind, Operation
from paygate.domain.money import Money
from paygate.domain.secret import Secret
from paygate.drivers.paypal import PayPal
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
    SignInConformance,
    Subject,
    VoidConformance,
    WithdrawConformance,
)
from paygate.testing.conformance.transcripts import Case
from tests.drivers.paypal.certificates import WEBHOOK_ID, signed, signer

TRANSCRIPTS = Path(__file__).parent / "transcripts"


class Pages(Subject):
    """The payer approves on PayPal's page."""

    driver = PayPal
    kind = Kind.REDIRECT
    settings = {  # noqa: RUF012  (said once, and never changed)
        "client_id": "AZDxjDScFpQtjWTOUtWKbyN",
        "client_secret": "EGnHDxD_qRPdaLdZz8iCr8N7_MzF",
        "merchant_id": "7E7MGXCWTTKK2",
        "webhook_id": WEBHOOK_ID,
        "webhook_authorities": signer().root,
        "reports": True,
        "vault": True,
    }
    transcripts = TRANSCRIPTS
    methods = {StoredToken: StoredToken(Secret("nkq2y9g"))}  # noqa: RUF012

    @property
    def rail(self) -> Rail:
        return replace(super().rail, methods=frozenset())

    def amount_text(self, money: Money) -> str:
        """Write three currencies without digits, as PayPal's page about currencies says."""
        return f"{money.decimal:.0f}" if money.currency in ("HUF", "TWD") else f"{money.decimal:f}"

    def signed(self, body: bytes, at: datetime) -> Callback:
        return signed(body, at)


class Stored(Pages):
    """A stored wallet is charged without its page."""

    transcripts = TRANSCRIPTS / "stored"

    @property
    def rail(self) -> Rail:
        return replace(super().rail, methods=frozenset({StoredToken}), immediate=True)


class TestGateway(Pages, GatewayConformance):
    name = "paypal"


class TestSignIn(Pages, SignInConformance):
    pass


class TestCheck(Pages, CheckConformance):
    pass


class TestCharge(Pages, ChargeConformance):
    pass


class TestAuthorize(Pages, AuthorizeConformance):
    pass


class TestStoredCharge(Stored, ChargeConformance):
    pass


class TestStoredAuthorize(Stored, AuthorizeConformance):
    pass


class TestComplete(Pages, CompleteConformance):
    pass


class TestCapture(Pages, CaptureConformance):
    pass


class TestVoid(Pages, VoidConformance):
    pass


class TestRefund(Pages, RefundConformance):
    pass


class TestWithdraw(Pages, WithdrawConformance):
    pass


class TestEnroll(Pages, EnrollConformance):
    pass


class TestForget(Pages, ForgetConformance):
    pass


class TestFeed(Pages, FeedConformance):
    after = "2026-08-03T09:00:00Z"


class TestCallbacks(Pages, CallbackConformance):
    other_listener = {"webhook_id": "8PT597110X687430L"}  # noqa: RUF012

    def fetched(
        self, case: Case | None, money: Money | None, number: int, request: Request
    ) -> Response:
        """Return the certificate, which comes first, or what the transcript has."""
        if request.step == "certificate":
            return Response(status=200, body=signer().chain)
        return super().fetched(case, money, number - 1, request)


class TestLookUp(Pages, LookUpConformance):
    pass


class TestFoundStoredCharge(Stored, LookUpConformance):
    pass


class TestFoundHold(Pages, LookUpConformance):
    operation = Operation.AUTHORIZE


class TestFoundCompletion(Pages, LookUpConformance):
    operation = Operation.COMPLETE


class TestFoundCapture(Pages, LookUpConformance):
    operation = Operation.CAPTURE


class TestFoundVoid(Pages, LookUpConformance):
    operation = Operation.VOID


class TestFoundRefund(Pages, LookUpConformance):
    operation = Operation.REFUND


class TestFoundWithdrawal(Pages, LookUpConformance):
    operation = Operation.WITHDRAW


class TestFoundWallet(Pages, LookUpConformance):
    operation = Operation.ENROLL
