"""Prepayments whose first invoice was wrong, and money that meets an invoice on the way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from paygate import (
    CreditReason,
    InvoiceStatus,
    Payment,
    PaymentStatus,
    Prepayment,
    PrepaymentStatus,
)
from paygate.errors import ItemAlreadyBeingPaid, PrepaymentReplaced
from tests.service.prepaying import Shop, usd


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    assert shop.cashier.fsck() == []
    shop.cashier.close()


def pending(shop: Shop, made: Prepayment) -> Payment:
    """Pay a prepayment with a card whose payment is approved after a day."""
    payment = shop.pay(made, method="tok_pending", key=f"pay-{made.id}")
    assert payment.status is PaymentStatus.PROCESSING
    return payment


def settle(shop: Shop, payment: Payment) -> Payment:
    shop.clock.advance(timedelta(days=2))
    shop.hear()
    shop.cashier.recover()
    return shop.cashier.payment(payment)


# --- The payment was under way when the wrong invoice was issued ---------------------------


def test_money_under_way_waits_for_the_right_invoice_after_the_wrong_one_is_void(
    shop: Shop,
) -> None:
    made = shop.prepay("10")
    payment = pending(shop, made)
    shop.issue("10", "WRONG")
    settle(shop, payment)
    assert shop.open("WRONG") == "0.00"
    assert shop.sums(made) == ("balanced", "10.00", "10.00", "0.00", "0.00")

    shop.cashier.void("WRONG", reason="wrong")
    assert shop.sums(made) == ("paid", "10.00", "0.00", "10.00", "0.00")
    shop.issue("10", "RIGHT")

    assert (shop.open("RIGHT"), shop.credit()) == ("0.00", "0.00")
    assert shop.sums(made) == ("balanced", "10.00", "10.00", "0.00", "0.00")
    assert shop.events(made.id) == [
        "prepayment.created",
        "prepayment.replaced",
        "prepayment.paid",
        "prepayment.assigned",
        "prepayment.balanced",
        "prepayment.reopened",
        "prepayment.assigned",
        "prepayment.balanced",
    ]


def test_the_wrong_invoice_is_voided_when_the_payment_has_ended_and_not_before(
    shop: Shop,
) -> None:
    made = shop.prepay("10")
    payment = pending(shop, made)
    shop.issue("10", "WRONG")

    with pytest.raises(ItemAlreadyBeingPaid) as refused:
        shop.cashier.void("WRONG", reason="wrong")
    assert refused.value.payments == [payment.id]
    shop.issue("10", "RIGHT")
    settle(shop, payment)
    assert shop.open("RIGHT") == "10.00"

    shop.cashier.void("WRONG", reason="wrong")

    assert (shop.open("RIGHT"), shop.credit()) == ("0.00", "0.00")
    assert shop.cashier.prepayment(made).replaced_by == "RIGHT"


def test_an_invoice_for_less_takes_its_part_and_the_next_one_takes_all(shop: Shop) -> None:
    made = shop.prepay("10")
    payment = pending(shop, made)
    shop.issue("6", "WRONG")
    settle(shop, payment)
    assert shop.sums(made) == ("paid", "10.00", "6.00", "4.00", "0.00")

    shop.cashier.void("WRONG", reason="wrong")
    shop.issue("10", "RIGHT")

    assert (shop.open("RIGHT"), shop.credit()) == ("0.00", "0.00")


def test_what_was_paid_on_the_wrong_invoice_itself_becomes_credit(shop: Shop) -> None:
    made = shop.prepay("10")
    payment = pending(shop, made)
    shop.issue("14", "WRONG")
    shop.pay("WRONG", key="rest")
    settle(shop, payment)

    voided = shop.cashier.void("WRONG", reason="wrong")

    assert voided.credited == usd("4")
    assert shop.sums(made)[3] == "10.00"
    shop.issue("10", "RIGHT")
    assert (shop.open("RIGHT"), shop.credit()) == ("0.00", "4.00")


def test_what_was_paid_beyond_the_prepayment_is_the_wrong_invoices_and_becomes_credit(
    shop: Shop,
) -> None:
    """The invoice was for more, and took what the prepayment had no room for."""
    made = shop.prepay("10")
    shop.pay(made)
    shop.issue("14", "WRONG")
    shop.cashier.record(made, by="cash", amount=usd("3"), key="cash")
    assert (shop.open("WRONG"), shop.sums(made)[1:3]) == ("1.00", ("10.00", "10.00"))

    voided = shop.cashier.void("WRONG", reason="wrong")

    assert voided.credited == usd("3")
    assert shop.sums(made) == ("paid", "10.00", "0.00", "10.00", "0.00")
    assert shop.credit() == "3.00"


def test_the_rest_that_became_credit_stays_credit(shop: Shop) -> None:
    made = shop.prepay("10", on_rest="credit")
    payment = pending(shop, made)
    shop.issue("6", "WRONG")
    settle(shop, payment)
    assert shop.credit() == "4.00"

    shop.cashier.void("WRONG", reason="wrong")
    shop.issue("10", "RIGHT")

    assert (shop.open("RIGHT"), shop.credit()) == ("4.00", "4.00")


def told(shop: Shop, made: Prepayment) -> tuple[str, str | None]:
    """Return the status of a prepayment and the invoice in its place, as its last event says."""
    *_, last = (each for each in shop.cashier.events(limit=1000) if each.aggregate == made.id)
    return last.data["status"], last.data["replaced_by"]


def test_the_right_invoice_replaces_a_prepayment_whose_money_all_became_credit(shop: Shop) -> None:
    """The wrong invoice was paid by itself, so it left no room for the money of the prepayment."""
    made = shop.prepay("5", on_rest="credit")
    shop.issue("10", "WRONG")
    shop.pay("WRONG")
    shop.cashier.record(made, by="cash", amount=usd("5"), key="cash")
    assert shop.credit() == "5.00"
    shop.cashier.void("WRONG", reason="wrong")
    assert told(shop, made) == ("paid", None)

    shop.issue("10", "RIGHT")

    assert (shop.open("RIGHT"), shop.credit()) == ("10.00", "15.00")
    assert told(shop, made) == ("balanced", "RIGHT")
    assert shop.cashier.prepayment(made).replaced_by == "RIGHT"
    assert shop.events(made.id)[-1] == "prepayment.replaced"


def test_the_next_invoice_that_only_money_under_way_is_for_is_reported(shop: Shop) -> None:
    made = shop.prepay("10")
    payment = pending(shop, made)
    shop.issue("6", "I-1")

    shop.issue("4", "I-2")

    assert shop.cashier.invoice("I-2").claimed == usd("4")
    assert told(shop, made) == ("replaced", "I-2")
    assert shop.cashier.prepayment(made).replaced_by == "I-2"
    settle(shop, payment)
    assert (shop.open("I-1"), shop.open("I-2")) == ("0.00", "0.00")


def test_the_right_invoice_takes_the_place_of_each_prepayment_of_the_wrong_one(shop: Shop) -> None:
    first = shop.prepay("10")
    shop.pay(first)
    shop.issue("15", "WRONG")
    second = shop.prepay("5", key="k2")
    shop.cashier.void("WRONG", reason="wrong")
    assert told(shop, second) == ("replaced", "WRONG")

    shop.issue("15", "RIGHT")

    assert shop.open("RIGHT") == "5.00"
    assert told(shop, first) == ("balanced", "RIGHT")
    assert told(shop, second) == ("replaced", "RIGHT")
    assert shop.cashier.prepayment(second).replaced_by == "RIGHT"


def test_two_payments_under_way_both_wait_for_the_right_invoice(shop: Shop) -> None:
    made = shop.prepay("10")
    first = shop.pay(made, method="tok_pending", key="a", amount=usd("3"))
    second = shop.pay(made, method="tok_pending", key="b", amount=usd("7"))
    shop.issue("10", "WRONG")
    settle(shop, first)
    settle(shop, second)

    shop.cashier.void("WRONG", reason="wrong")
    shop.issue("10", "RIGHT")

    assert (shop.open("RIGHT"), shop.credit()) == ("0.00", "0.00")


def test_a_second_prepayment_does_not_mix_with_the_first(shop: Shop) -> None:
    made = shop.prepay("10")
    shop.pay(made)
    shop.issue("10", "I-1")
    second = shop.prepay("5", key="second")
    payment = pending(shop, second)
    shop.issue("5", "WRONG")
    settle(shop, payment)

    shop.cashier.void("WRONG", reason="wrong")

    assert shop.sums(made) == ("balanced", "10.00", "10.00", "0.00", "0.00")
    assert shop.sums(second) == ("paid", "5.00", "0.00", "5.00", "0.00")
    shop.issue("5", "RIGHT")
    assert (shop.open("RIGHT"), shop.credit()) == ("0.00", "0.00")


def test_money_that_awaits_settlement_waits_for_the_right_invoice(shop: Shop) -> None:
    made = shop.prepay("10")
    payment = shop.pay(made, via="slow")
    shop.issue("10", "WRONG")
    shop.slow.pay_out(payment.reference)
    shop.hear()
    assert shop.open("WRONG") == "0.00"

    shop.cashier.void("WRONG", reason="wrong")
    shop.issue("10", "RIGHT")

    assert (shop.open("RIGHT"), shop.credit()) == ("0.00", "0.00")


def test_captures_of_a_prepayment_wait_for_the_right_invoice(shop: Shop) -> None:
    made = shop.prepay("10")
    held = shop.cashier.authorize(made, via="card", method="tok_visa", key="a")
    shop.issue("10", "WRONG")
    shop.cashier.capture(held, amount=usd("4"), key="c1", final=False)
    shop.cashier.capture(held, amount=usd("5"), key="c2", final=True)
    assert shop.open("WRONG") == "1.00"

    shop.cashier.void("WRONG", reason="wrong")
    assert shop.sums(made) == ("partially_paid", "9.00", "0.00", "9.00", "1.00")
    shop.issue("10", "RIGHT")

    assert (shop.open("RIGHT"), shop.credit()) == ("1.00", "0.00")


def test_credit_that_paid_with_it_returns_to_the_prepayment(shop: Shop) -> None:
    shop.cashier.top_up("C-1", usd("4"), via="card", method="tok_visa", key="t")
    made = shop.prepay("10")
    payment = shop.pay(made, method="tok_pending", credit=usd("4"))
    shop.issue("10", "WRONG")
    settle(shop, payment)
    assert shop.open("WRONG") == "0.00"

    shop.cashier.void("WRONG", reason="wrong")
    assert shop.sums(made)[3] == "10.00"
    shop.issue("10", "RIGHT")

    assert (shop.open("RIGHT"), shop.credit()) == ("0.00", "0.00")


def test_a_page_that_is_open_is_for_the_right_invoice(shop: Shop) -> None:
    made = shop.prepay("10")
    page = shop.open_page(made)
    shop.issue("10", "WRONG")
    shop.cashier.void("WRONG", reason="wrong")
    assert not shop.cashier.payment(page).superseded
    shop.issue("10", "RIGHT")

    shop.page.pay(page.reference)
    shop.cashier.inquire(page)

    assert (shop.open("RIGHT"), shop.credit()) == ("0.00", "0.00")


def test_a_page_that_is_paid_between_the_invoices_waits_for_the_right_one(shop: Shop) -> None:
    made = shop.prepay("10")
    page = shop.open_page(made)
    shop.issue("10", "WRONG")
    shop.cashier.void("WRONG", reason="wrong")

    shop.page.pay(page.reference)
    shop.cashier.inquire(page)

    assert shop.sums(made)[3] == "10.00"
    shop.issue("10", "RIGHT")
    assert (shop.open("RIGHT"), shop.credit()) == ("0.00", "0.00")


def test_late_money_of_a_declined_payment_waits_for_the_right_invoice(shop: Shop) -> None:
    made = shop.prepay("10")
    declined = shop.pay(made, method="tok_declined")
    shop.issue("10", "WRONG")
    shop.cashier.void("WRONG", reason="wrong")

    shop.card.approve_late(declined.reference)
    shop.hear()

    assert shop.sums(made)[3] == "10.00"
    shop.issue("10", "RIGHT")
    assert (shop.open("RIGHT"), shop.credit()) == ("0.00", "0.00")


# --- Money that goes back ------------------------------------------------------------------


def test_a_return_after_the_void_reopens_the_prepayment(shop: Shop) -> None:
    made = shop.prepay("10")
    payment = pending(shop, made)
    shop.issue("10", "WRONG")
    settle(shop, payment)
    shop.cashier.void("WRONG", reason="wrong")

    shop.cashier.reverse(payment, reason="it was not money", force=True)

    assert shop.sums(made) == ("open", "0.00", "0.00", "0.00", "10.00")


def test_a_return_before_the_void_leaves_the_prepayment_to_be_paid_again(shop: Shop) -> None:
    made = shop.prepay("10")
    check = shop.cashier.record(made, by="check", key="r")
    shop.issue("10", "WRONG")
    shop.cashier.reverse(check, reason="bounced")

    shop.cashier.void("WRONG", reason="wrong")

    assert shop.sums(made) == ("open", "0.00", "0.00", "0.00", "10.00")
    shop.pay(made)
    shop.issue("10", "RIGHT")
    assert (shop.open("RIGHT"), shop.credit()) == ("0.00", "0.00")


def test_a_refund_before_the_void_leaves_the_rest_for_the_right_invoice(shop: Shop) -> None:
    made = shop.prepay("10")
    payment = pending(shop, made)
    shop.issue("10", "WRONG")
    settle(shop, payment)
    shop.cashier.refund(payment, amount=usd("4"), key="b", to="reopen")

    shop.cashier.void("WRONG", reason="wrong")

    assert shop.sums(made) == ("partially_paid", "6.00", "0.00", "6.00", "4.00")


def test_a_refund_that_fails_after_the_void_waits_for_the_right_invoice(shop: Shop) -> None:
    made = shop.prepay("10")
    payment = shop.pay(made)
    shop.issue("10", "WRONG")
    shop.cashier.refund(payment, key="b", to="reopen")
    shop.cashier.void("WRONG", reason="wrong")

    shop.card.fail_refund(shop.cashier.attempts(payment)[-1].reference)
    shop.hear()

    assert shop.sums(made)[3] == "10.00"
    shop.issue("10", "RIGHT")
    assert (shop.open("RIGHT"), shop.credit()) == ("0.00", "0.00")


def test_a_refund_that_fails_returns_as_money_of_the_prepayment(shop: Shop) -> None:
    made = shop.prepay("10")
    payment = shop.pay(made)
    shop.issue("10", "WRONG")
    shop.cashier.refund(payment, key="b", to="reopen")
    shop.card.fail_refund(shop.cashier.attempts(payment)[-1].reference)
    shop.hear()
    assert shop.open("WRONG") == "0.00"

    shop.cashier.void("WRONG", reason="wrong")

    assert shop.sums(made) == ("paid", "10.00", "0.00", "10.00", "0.00")
    assert shop.credit() == "0.00"


def test_a_dispute_that_is_won_after_the_void_waits_for_the_right_invoice(shop: Shop) -> None:
    made = shop.prepay("10")
    payment = shop.pay(made)
    shop.issue("10", "WRONG")
    shop.card.dispute(payment.reference)
    shop.hear()
    shop.cashier.void("WRONG", reason="wrong")

    shop.card.win_dispute(payment.reference)
    shop.hear()

    assert shop.sums(made)[3] == "10.00"
    shop.issue("10", "RIGHT")
    assert (shop.open("RIGHT"), shop.credit()) == ("0.00", "0.00")


@pytest.mark.parametrize("voided_first", [True, False])
def test_a_reversal_that_is_undone_pays_the_right_invoice(shop: Shop, voided_first: bool) -> None:
    made = shop.prepay("10")
    check = shop.cashier.record(made, by="check", key="r")
    shop.issue("6", "WRONG")
    if voided_first:
        shop.cashier.void("WRONG", reason="wrong")
    shop.cashier.reverse(check, reason="bounced")
    if not voided_first:
        shop.cashier.void("WRONG", reason="wrong")
    shop.issue("10", "RIGHT")

    shop.cashier.undo_reversal(check, reason="it was another check")

    assert (shop.open("RIGHT"), shop.credit()) == ("0.00", "0.00")


def test_a_reversal_that_is_undone_waits_on_the_prepayment_again(shop: Shop) -> None:
    made = shop.prepay("10")
    check = shop.cashier.record(made, by="check", key="r")
    shop.issue("6", "WRONG")
    shop.cashier.reverse(check, reason="bounced")
    shop.cashier.void("WRONG", reason="wrong")
    shop.cashier.undo_reversal(check, reason="it was another check")
    assert shop.sums(made) == ("paid", "10.00", "0.00", "10.00", "0.00")

    shop.issue("10", "RIGHT")

    assert (shop.open("RIGHT"), shop.credit()) == ("0.00", "0.00")


def test_money_that_comes_back_to_an_invoice_paid_meanwhile_waits_for_the_next(
    shop: Shop,
) -> None:
    made = shop.prepay("10")
    check = shop.cashier.record(made, by="check", key="r")
    shop.issue("6", "I-1")
    shop.cashier.reverse(check, reason="bounced")
    shop.pay("I-1", key="again")

    shop.cashier.undo_reversal(check, reason="it was another check")

    assert shop.sums(made)[3] == "10.00"
    shop.issue("10", "I-2")
    assert (shop.open("I-2"), shop.credit()) == ("0.00", "0.00")


# --- An invoice that is open again -----------------------------------------------------------


def test_money_that_comes_and_leaves_again_has_entries_of_its_own_each_time(shop: Shop) -> None:
    made = shop.prepay("10")
    check = shop.cashier.record(made, by="check", key="check")
    shop.issue("10", "RIGHT")

    for number in range(2):
        shop.clock.advance(timedelta(days=1))
        shop.cashier.reverse(check, reason="bounced")
        cash = shop.cashier.record("RIGHT", by="cash", key=f"cash-{number}")
        shop.cashier.undo_reversal(check, reason="it was another check")
        assert shop.sums(made) == ("paid", "10.00", "0.00", "10.00", "0.00")
        shop.cashier.reverse(cash, reason="the note was false")
        assert (shop.open("RIGHT"), shop.credit()) == ("0.00", "0.00")


def test_an_invoice_that_a_return_reopened_takes_the_money_that_waits(shop: Shop) -> None:
    made = shop.prepay("10")
    shop.issue("6", "I-1")
    check = shop.cashier.record("I-1", by="check", key="r")
    shop.cashier.record(made, by="cash", amount=usd("10"), key="cash")
    assert shop.sums(made)[3] == "10.00"

    shop.cashier.reverse(check, reason="bounced")

    assert shop.open("I-1") == "0.00"
    assert shop.sums(made)[3] == "4.00"
    assert shop.events(shop.cashier.invoice("I-1").id)[-2:] == ["invoice.reopened", "invoice.paid"]


def test_an_invoice_that_a_declined_payment_frees_takes_the_money_that_waits(shop: Shop) -> None:
    made = shop.prepay("10")
    shop.issue("6", "I-1")
    payment = shop.pay("I-1", method="tok_pending_declined")
    shop.cashier.record(made, by="cash", amount=usd("10"), key="cash")
    assert shop.sums(made)[3] == "10.00"

    settle(shop, payment)

    assert shop.open("I-1") == "0.00"
    assert shop.sums(made)[3] == "4.00"


def test_undoing_a_write_off_takes_the_money_that_waits(shop: Shop) -> None:
    made = shop.prepay("10")
    shop.issue("6", "I-1")
    given_up = shop.cashier.write_off("I-1", reason="goodwill", key="w")
    shop.cashier.record(made, by="cash", amount=usd("10"), key="cash")
    assert shop.sums(made)[3] == "10.00"

    shop.cashier.undo_write_off(given_up)

    assert shop.open("I-1") == "0.00"


# --- The invoice first ----------------------------------------------------------------------


def test_a_prepayment_alongside_an_open_invoice_is_replaced_at_once(shop: Shop) -> None:
    shop.issue("10", "I-1")

    made = shop.prepay("10")

    assert made.status is PrepaymentStatus.REPLACED
    assert made.replaced_by == "I-1"
    assert shop.events(made.id) == ["prepayment.created", "prepayment.replaced"]
    with pytest.raises(PrepaymentReplaced) as refused:
        shop.pay(made)
    assert refused.value.invoice == "I-1"
    shop.pay("I-1", key="invoice")
    assert str(shop.card.moved("USD")) == "10.00 USD"


def test_it_can_be_paid_when_the_invoice_is_void(shop: Shop) -> None:
    shop.issue("10", "WRONG")
    made = shop.prepay("10")

    shop.cashier.void("WRONG", reason="wrong")
    shop.pay(made)
    shop.issue("10", "RIGHT")

    assert (shop.open("RIGHT"), shop.credit()) == ("0.00", "0.00")


def test_another_open_invoice_replaces_it_when_the_first_is_void(shop: Shop) -> None:
    made = shop.prepay("10")
    shop.issue("10", "WRONG")
    shop.issue("10", "RIGHT")

    shop.cashier.void("WRONG", reason="wrong")

    assert shop.cashier.prepayment(made).replaced_by == "RIGHT"


def test_a_prepayment_alongside_a_paid_invoice_is_for_the_next_one(shop: Shop) -> None:
    shop.issue("10", "I-1")
    shop.pay("I-1")

    made = shop.prepay("5")

    assert made.status is PrepaymentStatus.OPEN
    assert shop.cashier.invoice("I-1").status is InvoiceStatus.PAID


# --- What people read ------------------------------------------------------------------------


def test_an_alert_about_a_prepayment_calls_it_that(shop: Shop) -> None:
    made = shop.prepay("10")
    page = shop.open_page(made)
    shop.cashier.close_prepayment(made, reason="canceled")
    shop.page.pay(page.reference)
    late = shop.cashier.inquire(page)

    [alert] = [
        each.data["reason"]
        for each in shop.cashier.events(limit=1000)
        if each.type == "payment.alert" and "credit" in each.data["reason"]
    ]
    assert alert == "money came for a prepayment that was closed; it is credit"
    assert shop.cashier.credits("C-1")[0].reason is CreditReason.NOT_OWED
    assert late.credited == usd("10")
