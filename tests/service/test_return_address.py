"""Where the payer comes back to: the payment's id is filled in before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from paygate import Cashier, Kind, Money, PaymentStatus
from paygate.dialogue import Dialogue, Request, Response
from paygate.domain.outcome import Outcome
from paygate.errors import InvalidValue, PageKeysMissing
from paygate.gateway import Charge, Enrollment
from paygate.testing import FakeClock, FakeGateway

BACK = "https://shop.example/payments/page/return"


@dataclass
class Shop:
    """A cashier with a page and a card account, and where each was asked to send its payers."""

    cashier: Cashier
    sent: list[str] = field(default_factory=list[str])


@pytest.fixture
def shop() -> Shop:
    clock = FakeClock()
    sent: list[str] = []

    class Asked(FakeGateway):
        def charge(self, charge: Charge) -> Dialogue[Outcome]:
            sent.append(charge.return_url)
            return super().charge(charge)

        def authorize(self, charge: Charge) -> Dialogue[Outcome]:
            sent.append(charge.return_url)
            return super().authorize(charge)

        def enroll(self, enrollment: Enrollment) -> Dialogue[Outcome]:
            sent.append(enrollment.return_url)
            return super().enroll(enrollment)

    gateways = {kind: Asked(kind, clock=clock) for kind in ("redirect", "card")}
    cashier = Cashier.in_memory(
        gateways=gateways, clock=clock, token_keys=[Fernet.generate_key().decode()]
    )
    for number in ("INV-1", "INV-2"):
        cashier.issue(
            number=number, customer="C-1", total=Money.of("USD", "30.00"), due="2026-12-01"
        )
    return Shop(cashier, sent)


@pytest.mark.parametrize(
    "written",
    [
        f"{BACK}?payment={{payment}}",
        f"{BACK}?order=7&payment={{payment}}&lang=de%20CH",
        # What `urlencode` makes of the placeholder.
        f"{BACK}?payment=%7Bpayment%7D",
        f"{BACK}?payment=%7bpayment%7d#top",
        "https://shop.example/orders/{payment}/done",
        "shop-app://paid/{payment}",
        f"{BACK}?order=7",
    ],
)
def test_the_processor_is_given_an_address_with_the_payments_id(shop: Shop, written: str) -> None:
    payment = shop.cashier.collect("INV-1", via="redirect", key="k", return_url=written)

    filled = written.replace("%7B", "{").replace("%7D", "}")
    filled = filled.replace("%7b", "{").replace("%7d", "}").replace("{payment}", payment.id)
    assert shop.sent == [filled]


def test_every_verb_that_collects_fills_it_in(shop: Shop) -> None:
    back = f"{BACK}?payment={{payment}}"
    card: Any = {"via": "card", "method": "tok_action", "return_url": back}

    held = shop.cashier.authorize("INV-1", key="a", **card)
    topped = shop.cashier.top_up("C-1", Money.of("USD", "5.00"), key="t", **card)

    assert shop.sent == [f"{BACK}?payment={each.id}" for each in (held, topped)]


def test_the_same_key_with_the_same_address_is_the_same_payment(shop: Shop) -> None:
    back = f"{BACK}?payment={{payment}}"

    first, again = (
        shop.cashier.collect("INV-1", via="redirect", key="k", return_url=back) for _ in range(2)
    )

    assert first == again
    assert shop.sent == [f"{BACK}?payment={first.id}"]


@pytest.mark.parametrize(
    "written",
    [
        f"{BACK}?payment={{paymnt}}",
        f"{BACK}?payment={{}}",
        f"{BACK}?payment={{payment",
        f"{BACK}?payment=payment}}",
        f"{BACK}?payment={{{{payment}}}}",
        f"{BACK}?session={{CHECKOUT_SESSION_ID}}&payment={{payment}}",
        "https://{payment}.shop.example/back",
        "{payment}://shop.example/back",
        "/payments/page/return?payment={payment}",
        "shop.example/back",
        "https:///back",
        "https://shop.example/ba ck",
        "https://shop.example/back\r\nx-header: 1",
        "https://[shop.example/back",
        "javascript:alert(1)",
        "data:text/html,x",
    ],
)
def test_a_malformed_address_is_refused_and_nothing_is_stored(shop: Shop, written: str) -> None:
    with pytest.raises(InvalidValue, match="return_url"):
        shop.cashier.collect("INV-1", via="redirect", key="k", return_url=written)

    assert shop.sent == []
    assert list(shop.cashier.payments()) == []
    assert shop.cashier.collect("INV-1", via="redirect", key="k", return_url=BACK).action


def test_where_nothing_is_paid_there_is_no_payment_to_fill_in(shop: Shop) -> None:
    with pytest.raises(InvalidValue, match="no payment"):
        shop.cashier.enroll("C-1", via="card", key="e", return_url=f"{BACK}?payment={{payment}}")
    with pytest.raises(InvalidValue, match="return_url"):
        shop.cashier.enroll("C-1", via="card", key="e", return_url="/back")

    change = shop.cashier.enroll("C-1", via="card", key="e", return_url=BACK)

    assert change.action
    assert shop.sent == [BACK]


def test_kinds_that_need_no_page_still_fill_it_in(shop: Shop) -> None:
    payment = shop.cashier.collect(
        "INV-2",
        via="card",
        kind=Kind.CARD,
        method="tok_visa",
        key="k",
        return_url=f"{BACK}/{{payment}}",
    )

    assert shop.sent == [f"{BACK}/{payment.id}"]


@pytest.mark.sqlite
def test_the_token_of_the_page_is_sent_and_not_stored(tmp_path: Path) -> None:
    sent: list[str] = []

    class Asked(FakeGateway):
        def charge(self, charge: Charge) -> Dialogue[Outcome]:
            sent.append(charge.return_url)
            return super().charge(charge)

        def answer(self, request: Request) -> Response:
            if len(sent) == 1 and request.step == "charge":
                raise KeyboardInterrupt
            return super().answer(request)

    clock = FakeClock()
    page = Asked("redirect", clock=clock)
    cashier = Cashier.open(
        f"sqlite:///{tmp_path}/ledger.db",
        gateways={"page": page},
        clock=clock,
        page_keys=[Fernet.generate_key()],
    )
    cashier.issue(number="A", customer="C-1", total=Money.of("USD", "30.00"), due="2031-12-01")
    back = "https://shop.example/pay/p/{page}/back?of={payment}"

    # The process is stopped before it sends, and the request is rebuilt from the ledger.
    with pytest.raises(KeyboardInterrupt):
        cashier.collect("A", via="page", key="k", return_url=back)
    [payment] = cashier.payments()
    stored = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    sent.append("")
    clock.advance(timedelta(minutes=3))
    cashier.inquire(payment)

    token = cashier.payment_page(payment).token.reveal()
    here = f"https://shop.example/pay/p/{token}/back?of={payment.id}"
    assert sent == [here, "", here]
    assert cashier.payment_of_page(token).id == payment.id
    assert b"{page}" in stored
    assert token.encode() not in stored
    assert cashier.payment(payment).status is PaymentStatus.REQUIRES_ACTION
    assert cashier.fsck() == []
    cashier.close()


def test_without_keys_there_is_no_page_to_come_back_to(shop: Shop) -> None:
    with pytest.raises(PageKeysMissing):
        shop.cashier.collect("INV-1", via="redirect", key="k", return_url=f"{BACK}/{{page}}")

    assert shop.sent == []
    assert shop.cashier.payments() == []


@pytest.mark.parametrize("written", ["https://{page}.example/", "https://shop.example/{result}"])
def test_a_page_is_named_after_the_host_only(shop: Shop, written: str) -> None:
    with pytest.raises(InvalidValue, match="return_url"):
        shop.cashier.collect("INV-1", via="redirect", key="k", return_url=written)
