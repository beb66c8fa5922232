"""Money in hand for an invoice on which nothing is open: it is booked, as credit."""

from collections.abc import Iterator

import pytest

from paygate import Cashier, CreditReason, Money, PaymentStatus, Share
from paygate.domain.outcome import DeclineCode, Declined
from paygate.errors import AlreadyPaid, InvalidAmount, InvoiceIsVoid, ItemAlreadyBeingPaid
from paygate.testing import FakeGateway


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


@pytest.fixture
def cashier() -> Iterator[Cashier]:
    with Cashier.in_memory() as cashier:
        for number in ("PAID", "VOID", "GONE", "OPEN"):
            cashier.issue(number=number, customer="C-1", total=usd("84"), due="2026-02-01")
        cashier.record("PAID", by="cash", key="till")
        cashier.void("VOID", reason="issued twice")
        cashier.write_off("GONE", reason="bankrupt", key="w")
        yield cashier
        assert cashier.fsck() == []


def told(cashier: Cashier, payment: str) -> list[tuple[str, object]]:
    return [
        (event.type, event.data["reason"])
        for event in cashier.events(aggregate=payment)
        if event.type == "payment.alert"
    ]


@pytest.mark.parametrize(
    ("number", "reason", "says", "alert"),
    [
        ("PAID", CreditReason.ALREADY_PAID, "is paid", "that was paid otherwise; it is credit"),
        ("VOID", CreditReason.NOT_OWED, "is void", "that is void or written off; it is credit"),
        ("GONE", CreditReason.NOT_OWED, "is written off", "that is void or written off; it is"),
    ],
)
def test_a_check_for_an_invoice_with_nothing_open_becomes_credit(
    cashier: Cashier, number: str, reason: CreditReason, says: str, alert: str
) -> None:
    before = cashier.invoice(number)

    payment = cashier.record(number, by="check", reference="1077", amount=usd("84"), key="c")

    assert (payment.status, payment.received) == (PaymentStatus.SUCCEEDED, usd("84"))
    assert payment.credited == usd("84")
    assert [(item.invoice, item.paid) for item in payment.items] == [(number, usd("0"))]
    assert [(lot.free, lot.reason) for lot in cashier.credits("C-1")] == [(usd("84"), reason)]
    assert cashier.invoice(number) == before
    [warning] = payment.warnings
    assert f"invoice {number} {says}" in warning
    assert "84.00 USD became credit of customer C-1" in warning
    [(_, text)] = told(cashier, payment.id)
    assert alert in str(text)
    assert cashier.record(number, by="check", reference="1077", amount=usd("84"), key="c").repeated
    assert cashier.balance("C-1")["USD"] == usd("84")


def test_a_check_that_bounced_takes_its_credit_along(cashier: Cashier) -> None:
    payment = cashier.record("PAID", by="check", amount=usd("84"), key="c")

    cashier.reverse(payment, reason="insufficient funds")

    assert cashier.balance("C-1")["USD"] == usd("0")
    assert cashier.invoice("PAID").open == usd("0")


def test_a_check_for_several_invoices_pays_those_that_are_open(cashier: Cashier) -> None:
    payment = cashier.record(["PAID", "OPEN", "VOID"], by="check", amount=usd("100"), key="c")

    assert cashier.invoice("OPEN").open == usd("0")
    assert payment.credited == usd("16")
    assert cashier.credits("C-1")[0].reason is CreditReason.ALREADY_PAID


def test_a_share_of_what_is_paid_becomes_credit(cashier: Cashier) -> None:
    shares = [Share("OPEN", usd("90")), Share("PAID", usd("10"))]

    payment = cashier.record(shares, by="check", key="c")

    assert payment.amount == usd("100")
    assert cashier.invoice("OPEN").open == usd("0")
    assert payment.credited == usd("16")


def test_shares_that_do_not_add_up_are_refused(cashier: Cashier) -> None:
    for amount in ("99", "101"):
        with pytest.raises(InvalidAmount, match="add up"):
            cashier.record([Share("PAID", usd("100"))], by="cash", amount=usd(amount), key="c")


@pytest.mark.parametrize(
    ("number", "error"), [("PAID", AlreadyPaid), ("GONE", AlreadyPaid), ("VOID", InvoiceIsVoid)]
)
def test_how_much_came_must_be_said_if_nothing_is_open(
    cashier: Cashier, number: str, error: type[Exception]
) -> None:
    with pytest.raises(error, match="amount="):
        cashier.record(["OPEN", number], by="cash", key="c")

    assert cashier.invoice("OPEN").claimed == usd("0")


# --- Money for an invoice that another payment holds ----------------------------------------


@pytest.fixture
def held() -> Iterator[Cashier]:
    """Return a cashier with INV-1, of which a payment of unknown outcome holds 50 of 84 dollars."""
    card = FakeGateway("card")
    with Cashier.in_memory(gateways={"card": card}) as cashier:
        for number in ("INV-1", "INV-2"):
            cashier.issue(number=number, customer="C-1", total=usd("84"), due="2026-02-01")
        cashier.collect(
            "INV-1", via="card", method="tok_unknown_lost", key="card", amount=usd("50")
        )
        yield cashier
        assert cashier.fsck() == []


def test_a_check_for_what_another_payment_holds_becomes_credit(held: Cashier) -> None:
    [holder] = held.payments()

    check = held.record("INV-1", by="check", amount=usd("84"), key="c")

    assert (check.status, check.received, check.credited) == (
        PaymentStatus.SUCCEEDED,
        usd("84"),
        usd("50"),
    )
    assert held.invoice("INV-1").open == held.invoice("INV-1").claimed == usd("50")
    [lot] = held.credits("C-1")
    assert (lot.free, lot.reason) == (usd("50"), CreditReason.BEING_PAID)
    assert check.warnings == (
        f"invoice INV-1 is being paid by {holder.id}; 50.00 USD became credit of customer C-1",
    )
    [(_, text)] = told(held, check.id)
    assert text == "money came for an invoice that another payment holds; it is credit"
    held.resolve(
        holder,
        Declined(code=DeclineCode.GENERIC, raw_code="", retryable=False),
        evidence="their list",
    )
    assert held.pay_from_credit("INV-1", key="use").status is PaymentStatus.SUCCEEDED
    assert held.invoice("INV-1").open == usd("0")


def test_a_check_that_the_rest_of_a_held_invoice_can_take_is_put_there(held: Cashier) -> None:
    check = held.record("INV-1", by="check", amount=usd("30"), key="c")

    assert (check.credited, check.warnings) == (usd("0"), ())
    assert held.invoice("INV-1").open == usd("54")


def test_a_check_pays_what_is_free_beside_a_held_invoice(held: Cashier) -> None:
    together = held.record(["INV-1", "INV-2"], by="check", amount=usd("140"), key="c")

    assert together.credited == usd("22")
    assert held.invoice("INV-1").open == usd("50")
    assert held.invoice("INV-2").open == usd("0")


def test_a_share_for_what_is_held_becomes_credit(held: Cashier) -> None:
    check = held.record([Share("INV-1", usd("84"))], by="check", key="c")

    assert (check.received, check.credited) == (usd("84"), usd("50"))
    assert held.credits("C-1")[0].reason is CreditReason.BEING_PAID


def test_shares_of_what_is_held_add_up_to_the_amount(held: Cashier) -> None:
    for amount in ("83", "85"):
        with pytest.raises(InvalidAmount, match="add up"):
            held.record([Share("INV-1", usd("84"))], by="check", amount=usd(amount), key="c")


def test_without_an_amount_what_is_held_is_not_paid_twice(held: Cashier) -> None:
    held.record("INV-1", by="cash", key="rest")

    with pytest.raises(ItemAlreadyBeingPaid, match="amount="):
        held.record("INV-1", by="cash", key="again")
