"""Authorize.Net is held to the kit that every driver is held to."""

import hashlib
import hmac
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from paygate.domain.kind import Kind, Operation
from paygate.domain.money import Money
from paygate.domain.secret import OneTimeToken, Secret
from paygate.drivers.authorize_net import AuthorizeNet
from paygate.gateway import Callback, Gateway, StoredToken
from paygate.testing.conformance import (
    ACCOUNT,
    CARD,
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
)

KEY = "52CB4A002C634B84" * 8


def order_of(key: str) -> str:
    """Name an operation as the driver must go on doing, or it loses what it sent before."""
    digest = hashlib.sha256(b"authorize_net\x1f" + key.encode()).hexdigest()
    return f"pg-{digest[:17]}"


class Cards(Subject):
    driver = AuthorizeNet
    settings = {  # noqa: RUF012  (said once, and never changed)
        "login": "login12345",
        "transaction_key": "0123456789abcdef",
        "signature_keys": [KEY],
    }
    transcripts = Path(__file__).parent / "transcripts"
    methods = {  # noqa: RUF012
        OneTimeToken: OneTimeToken.of("eyJjb2RlIjoiNTBfMl8wNjAwMDUyNDQi"),
        StoredToken: StoredToken(Secret("123/456")),
        type(CARD): CARD,
        type(ACCOUNT): ACCOUNT,
    }

    def values(self, case: Any, money: Money | None = None, **more: str) -> dict[str, str]:
        more.setdefault("order", order_of("k-conformance-1"))
        return super().values(case, money, **more)

    def signed(self, body: bytes, at: datetime) -> Callback:
        mac = hmac.new(KEY.encode(), body, hashlib.sha512).hexdigest().upper()
        return Callback(
            method="POST",
            path="/callbacks/net",
            headers={"x-anet-signature": f"sha512={mac}"},
            body=body,
            received_at=at,
        )


class Named(Cards):
    """What is found again is found by a name that follows from the key, not by our reference.

    It has 20 characters at Authorize.Net, and must be the same when a ledger was restored.
    """

    def test_our_reference_travels_with_it(self) -> None:
        conversation: Any = self
        sent = [each.body.decode() for each in conversation.held(conversation.good()).requests]

        assert any(f">{order_of('k-conformance-1')}<" in body for body in sent)


class Accounts(Cards):
    kind = Kind.E_CHECK
    transcripts = Path(__file__).parent / "transcripts" / "e_check"


class Forms(Cards):
    kind = Kind.REDIRECT
    transcripts = Path(__file__).parent / "transcripts" / "page"


class TestGateway(Cards, GatewayConformance):
    name = "authorize_net"


class TestCharge(Named, ChargeConformance):
    pass


class TestAuthorize(Named, AuthorizeConformance):
    pass


class TestCapture(Cards, CaptureConformance):
    pass


class TestVoid(Cards, VoidConformance):
    pass


class TestRefund(Named, RefundConformance):
    pass


class TestEnroll(Cards, EnrollConformance):
    pass


class TestForget(Cards, ForgetConformance):
    pass


class TestLookUp(Cards, LookUpConformance):
    pass


class TestCheck(Cards, CheckConformance):
    pass


class TestCallbacks(Cards, CallbackConformance):
    def _with_other_secrets(self) -> Iterator[Gateway]:
        # A signature key has 128 digits, so that one with something added to it is none.
        yield self.gateway(signature_keys=["AB" * 64])


class TestFeed(Cards, FeedConformance):
    after = (
        '{"until":"2026-11-02T13:00:00+00:00","swept":"2026-11-02","recent":["41"],'
        '"plan":[["41",1,true]],"counts":{}}'
    )

    def test_the_cursor_reaches_the_processor(self) -> None:
        """The cursor is a plan of ours; what is next in it is what is asked for."""
        request, *_ = self.held(self.good()).requests

        assert b"<batchId>41</batchId>" in request.body


class TestECheck(Named, Accounts, ChargeConformance):
    pass


class TestVoidedECheck(Accounts, VoidConformance):
    pass


class TestRefundedECheck(Named, Accounts, RefundConformance):
    pass


class TestStoredAccount(Accounts, EnrollConformance):
    pass


class TestForgottenAccount(Accounts, ForgetConformance):
    pass


class TestECheckFound(Accounts, LookUpConformance):
    pass


class TestForm(Named, Forms, ChargeConformance):
    pass


class TestPaidForm(Forms, CompleteConformance):
    pass


class TestRefundedForm(Named, Forms, RefundConformance):
    pass


class TestVoidedForm(Forms, VoidConformance):
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


class TestFoundStoredCard(Cards, LookUpConformance):
    operation = Operation.ENROLL
