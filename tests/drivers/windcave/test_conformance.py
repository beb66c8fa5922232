"""Windcave is held to the kit that every driver is held to."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from paygate.domain.kind import Operation
from paygate.domain.money import Money
from paygate.domain.secret import Secret
from paygate.drivers.windcave import Windcave
from paygate.gateway import Callback, Rail, StoredToken
from paygate.testing.conformance import (
    AuthorizeConformance,
    CallbackConformance,
    CaptureConformance,
    ChargeConformance,
    CompleteConformance,
    EnrollConformance,
    GatewayConformance,
    LookUpConformance,
    RefundConformance,
    Subject,
    VoidConformance,
)

TRANSCRIPTS = Path(__file__).parent / "transcripts"


class Cards(Subject):
    """A stored card is charged by REST."""

    driver = Windcave
    settings = {  # noqa: RUF012  (said once, and never changed)
        "username": "ShopRest_Dev",
        "api_key": "a3f1e5c7d9b2468024681357",
        "currencies": ["NZD", "USD", "EUR"],
        "notification_url": "https://shop.example/callbacks/windcave",
    }
    transcripts = TRANSCRIPTS
    methods = {StoredToken: StoredToken(Secret("0000030001023105"))}  # noqa: RUF012

    def amount_text(self, money: Money) -> str:
        """Write amounts as Windcave does."""
        return f"{money.decimal:f}"

    def signed(self, body: bytes, at: datetime) -> Callback:
        return Callback(method="POST", path="/", headers={}, body=body, received_at=at)


class Pages(Cards):
    """The payer pays on Windcave's page."""

    transcripts = TRANSCRIPTS / "page"

    @property
    def rail(self) -> Rail:
        return replace(super().rail, methods=frozenset(), immediate=False, payer_present=True)


class StoredCards(Cards):
    @property
    def rail(self) -> Rail:
        return replace(super().rail, methods=frozenset({StoredToken}))


class ByPxPost(StoredCards):
    """A stored card is charged by PxPost."""

    settings = {  # noqa: RUF012
        **Cards.settings,
        "pxpost_username": "ShopPxPost_Dev",
        "pxpost_password": "9c1f-not-a-real-one",
    }
    transcripts = TRANSCRIPTS / "pxpost"

    @property
    def rail(self) -> Rail:
        return replace(super().rail, operations=frozenset({Operation.CHARGE, Operation.REFUND}))


class TestGateway(Cards, GatewayConformance):
    name = "windcave"


class TestCharge(StoredCards, ChargeConformance):
    pass


class TestAuthorize(StoredCards, AuthorizeConformance):
    pass


class TestCapture(Cards, CaptureConformance):
    pass


class TestVoid(Cards, VoidConformance):
    pass


class TestRefund(Cards, RefundConformance):
    pass


class TestPage(Pages, ChargeConformance):
    pass


class TestPageToHold(Pages, AuthorizeConformance):
    pass


class TestCompletePage(Pages, CompleteConformance):
    pass


class TestCapturePage(Pages, CaptureConformance):
    pass


class TestVoidPage(Pages, VoidConformance):
    pass


class TestRefundPage(Pages, RefundConformance):
    pass


class TestEnrollOnPage(Pages, EnrollConformance):
    pass


class TestChargeByPxPost(ByPxPost, ChargeConformance):
    pass


class TestRefundByPxPost(ByPxPost, RefundConformance):
    pass


class TestNotifications(Cards, CallbackConformance):
    pass


class TestFoundCharge(StoredCards, LookUpConformance):
    pass


class TestFoundHold(StoredCards, LookUpConformance):
    operation = Operation.AUTHORIZE


class TestFoundCapture(Cards, LookUpConformance):
    operation = Operation.CAPTURE


class TestFoundVoid(Cards, LookUpConformance):
    operation = Operation.VOID


class TestFoundRefund(Cards, LookUpConformance):
    operation = Operation.REFUND


class TestFoundPage(Pages, LookUpConformance):
    pass


class TestFoundPageToHold(Pages, LookUpConformance):
    operation = Operation.AUTHORIZE


class TestFoundCompletion(Pages, LookUpConformance):
    operation = Operation.COMPLETE


class TestFoundCard(Pages, LookUpConformance):
    operation = Operation.ENROLL


class TestFoundPxPostCharge(ByPxPost, LookUpConformance):
    pass


class TestFoundPxPostRefund(ByPxPost, LookUpConformance):
    operation = Operation.REFUND
