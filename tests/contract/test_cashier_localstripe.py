"""The main job at a server that is not ours: invoices, collected over HTTP, in the books.

The server keeps its own list of charges; what it took is compared with what we booked.
"""

import json
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from paygate import AsyncCashier, Cashier, InvoiceStatus, Money, PaymentStatus
from paygate.errors import InvalidSettings, Unsupported

KEY = "sk_test_do_not_show_me"


def settings(address: str) -> dict[str, str]:
    return {"driver": "stripe", "secret_key": KEY, "api_base": address}


def charged(address: str, payment: str) -> list[tuple[int, str]]:
    """What the server says that it took for one payment of ours."""
    asked = Request(  # noqa: S310  (loopback)
        f"{address}/v1/payment_intents?limit=100", headers={"Authorization": f"Bearer {KEY}"}
    )
    with urlopen(asked, timeout=10) as answer:  # noqa: S310  (loopback)
        intents = json.load(answer)["data"]
    return [
        (intent["amount"], intent["currency"])
        for intent in intents
        if intent["metadata"].get("paygate_payment") == payment and intent["status"] == "succeeded"
    ]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.mark.parametrize(
    ("currency", "totals", "minor"),
    [("USD", ("30.00", "12.50"), 4250), ("JPY", ("3000", "1"), 3001), ("EUR", ("1", "2"), 300)],
)
def test_invoices_are_paid_over_http(
    localstripe: str, url: str, currency: str, totals: tuple[str, ...], minor: int
) -> None:
    with Cashier.open(url, gateways={"card": settings(localstripe)}) as cashier:
        for number, total in enumerate(totals):
            cashier.issue(
                number=str(number),
                customer="C-1",
                total=Money.of(currency, total),
                due="2026-12-01",
            )
        payment = cashier.collect(["0", "1"], via="card", method="pm_card_visa", key="checkout-1")
        again = cashier.collect(["0", "1"], via="card", method="pm_card_visa", key="checkout-1")

        assert payment.status is PaymentStatus.SUCCEEDED
        assert again == payment
        assert charged(localstripe, payment.id) == [(minor, currency.lower())]
        assert [each.status for each in cashier.invoices()] == [InvoiceStatus.PAID] * len(totals)
        assert cashier.inquire(payment) == payment
        assert cashier.fsck() == []


def test_a_decline_leaves_the_invoice_open_and_keeps_the_raw_code(
    localstripe: str, url: str
) -> None:
    with Cashier.open(url, gateways={"card": settings(localstripe)}) as cashier:
        cashier.issue(number="A", customer="C-1", total=Money.of("USD", "30"), due="2026-12-01")

        payment = cashier.collect(
            "A", via="card", method="pm_card_chargeCustomerFail", key="checkout-1"
        )

        assert (payment.status, payment.raw_code) == (PaymentStatus.DECLINED, "card_declined")
        assert charged(localstripe, payment.id) == []
        assert cashier.invoice("A").open == Money.of("USD", "30")
        assert cashier.fsck() == []


async def test_the_same_awaited(localstripe: str, url: str) -> None:
    async with AsyncCashier.open(url, gateways={"card": settings(localstripe)}) as cashier:
        await cashier.issue(
            number="A", customer="C-1", total=Money.of("USD", "30"), due="2026-12-01"
        )

        payment = await cashier.collect("A", via="card", method="pm_card_visa", key="checkout-1")

        assert payment.status is PaymentStatus.SUCCEEDED
        assert charged(localstripe, payment.id) == [(3000, "usd")]
        assert await cashier.fsck() == []


def test_what_stripe_cannot_take_is_refused_before_anything_is_stored(
    localstripe: str, url: str
) -> None:
    with Cashier.open(url, gateways={"card": settings(localstripe)}) as cashier:
        cashier.issue(number="A", customer="C-1", total=Money.of("KWD", "5.124"), due="2026-12-01")

        with pytest.raises(Unsupported, match="fewer digits"):
            cashier.collect("A", via="card", method="pm_card_visa", key="k")
        with pytest.raises(Unsupported, match="pm_"):
            cashier.collect(
                "A", via="card", method="tok_visa", key="k", amount=Money.of("KWD", "5.12")
            )

        assert cashier.payments() == []


def test_credentials_are_checked_without_moving_money(localstripe: str, url: str) -> None:
    with Cashier.open(url, gateways={"card": settings(localstripe)}) as cashier:
        assert cashier.check("card").live is False

    # The server accepts every key of the right form, so a wrong one is refused by us.
    bad = {**settings(localstripe), "secret_key": f"pk{KEY}"}
    with pytest.raises(InvalidSettings, match="secret_key") as caught:
        Cashier.open(url, gateways={"card": bad})
    assert KEY not in str(caught.value)


def test_a_server_that_is_gone_fails_the_payment_and_frees_the_invoice(url: str) -> None:
    with Cashier.open(url, gateways={"card": settings("http://127.0.0.1:9")}) as cashier:
        cashier.issue(number="A", customer="C-1", total=Money.of("USD", "30"), due="2026-12-01")

        payment = cashier.collect("A", via="card", method="pm_card_visa", key="checkout-1")

        assert (payment.status, payment.code, payment.retryable) == (
            PaymentStatus.FAILED,
            "unsent",
            True,
        )
        assert cashier.invoice("A").claimed == Money.of("USD", 0)
        assert cashier.fsck() == []


def test_a_hold_is_captured_in_part_and_refunded(localstripe: str, url: str) -> None:
    with Cashier.open(url, gateways={"card": settings(localstripe)}) as cashier:
        cashier.issue(number="A", customer="C-1", total=Money.of("USD", "30"), due="2026-12-01")

        payment = cashier.authorize("A", via="card", method="pm_card_visa", key="order-1")
        assert payment.status is PaymentStatus.AUTHORIZED
        payment = cashier.capture(payment, amount=Money.of("USD", "20"), key="shipped-1").payment
        assert payment.status is PaymentStatus.SUCCEEDED
        assert cashier.invoice("A").open == Money.of("USD", "10")
        for _ in range(2):
            payment = cashier.refund(payment, amount=Money.of("USD", "5"), key="returned-1").payment

        assert (payment.received, payment.returned) == (Money.of("USD", 20), Money.of("USD", 5))
        assert cashier.fsck() == []


@pytest.mark.parametrize("captured", [False, True])
def test_a_payment_is_canceled_in_the_way_that_still_works(
    localstripe: str, url: str, captured: bool
) -> None:
    with Cashier.open(url, gateways={"card": settings(localstripe)}) as cashier:
        cashier.issue(number="A", customer="C-1", total=Money.of("USD", "30"), due="2026-12-01")
        payment = cashier.authorize("A", via="card", method="pm_card_visa", key="order-1")
        if captured:
            cashier.capture(payment, key="shipped-1")

        payment = cashier.cancel(payment, key="canceled-1").payment

        money = Money.of("USD", 30 if captured else 0)
        assert (payment.received, payment.returned) == (money, money)
        assert cashier.invoice("A").open == Money.of("USD", "30")
        assert cashier.fsck() == []
