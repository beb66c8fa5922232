"""Prepayments: money before its invoice, and the key by which the two find each other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from paygate import (
    AsyncCashier,
    CreditReason,
    InvoiceStatus,
    Money,
    PaymentStatus,
    PrepaymentStatus,
    Share,
)
from paygate.errors import (
    AlreadyPaid,
    AssignmentConflict,
    CurrencyMismatch,
    InvalidAmount,
    InvalidValue,
    InvoiceNotFound,
    ItemAlreadyBeingPaid,
    KeyReused,
    NumberReused,
    PrepaymentIsClosed,
    PrepaymentNotFound,
    PrepaymentReplaced,
)
from paygate.testing import FakeGateway
from tests.service.prepaying import Shop, usd


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    assert shop.cashier.fsck() == []
    shop.cashier.close()


# --- Paid before the invoice ------------------------------------------------------------


def test_the_invoice_takes_the_money_that_waits_for_it(shop: Shop) -> None:
    made = shop.prepay("49", data={"basket": 7})
    paid = shop.pay(made)
    assert shop.sums(made) == ("paid", "49.00", "0.00", "49.00", "0.00")
    assert shop.posted("prepayment") == -4900

    shop.issue("49")

    assert shop.cashier.invoice("I-1").status is InvoiceStatus.PAID
    assert shop.sums(made) == ("balanced", "49.00", "49.00", "0.00", "0.00")
    assert [each.invoice for each in shop.cashier.payment(paid).items] == ["I-1"]
    assert (shop.posted("prepayment"), shop.posted("receivable")) == (0, 0)
    assert shop.events(made.id) == [
        "prepayment.created",
        "prepayment.paid",
        "prepayment.assigned",
        "prepayment.balanced",
    ]
    told = [each for each in shop.cashier.events(limit=1000) if each.aggregate == made.id]
    assert all(each.data["data"] == {"basket": 7} for each in told)


def test_what_exceeds_the_invoice_waits_for_the_next_one(shop: Shop) -> None:
    made = shop.prepay("100")
    shop.pay(made)

    shop.issue("60")
    assert shop.sums(made) == ("paid", "100.00", "60.00", "40.00", "0.00")
    shop.issue("70", "I-2")

    assert (shop.open("I-1"), shop.open("I-2")) == ("0.00", "30.00")
    assert shop.sums(made) == ("balanced", "100.00", "100.00", "0.00", "0.00")
    assert shop.credit() == "0.00"


def test_what_exceeds_the_invoice_becomes_credit_if_the_host_wants_that(shop: Shop) -> None:
    made = shop.prepay("100", on_rest="credit")
    shop.pay(made)

    shop.issue("60")

    assert shop.sums(made) == ("balanced", "100.00", "60.00", "0.00", "0.00")
    assert shop.cashier.prepayment(made).credited == usd("40")
    [lot] = shop.cashier.credits("C-1")
    assert (lot.free, lot.reason) == (usd("40"), CreditReason.PREPAYMENT_REST)


def test_a_partly_paid_prepayment_is_replaced_and_its_rest_is_paid_on_the_invoice(
    shop: Shop,
) -> None:
    made = shop.prepay("100")
    shop.pay(Share(made, usd("30")))
    assert shop.sums(made)[0] == "partially_paid"

    shop.issue("100")

    assert shop.open() == "70.00"
    assert shop.sums(made) == ("balanced", "30.00", "30.00", "0.00", "0.00")
    with pytest.raises(PrepaymentReplaced) as refused:
        shop.pay(made, key="again")
    assert refused.value.invoice == "I-1"
    shop.pay("I-1", key="rest")
    assert shop.open() == "0.00"


def test_an_unpaid_prepayment_is_replaced_by_its_invoice(shop: Shop) -> None:
    made = shop.prepay("100")

    shop.issue("80")

    assert shop.sums(made) == ("replaced", "0.00", "0.00", "0.00", "0.00")
    assert shop.cashier.prepayment(made).replaced_by == "I-1"
    assert shop.events(made.id)[-1] == "prepayment.replaced"
    assert shop.open() == "80.00"


def test_several_prepayments_in_turn_pay_one_invoice(shop: Shop) -> None:
    first = shop.prepay("30")
    shop.pay(first)
    shop.issue("30")
    second = shop.prepay("20", key="k2")
    shop.pay(second, key="p2")

    shop.issue("25", "I-2")

    assert shop.open("I-2") == "5.00"
    assert shop.sums(second)[0] == "balanced"


def test_an_invoice_without_the_key_takes_nothing(shop: Shop) -> None:
    made = shop.prepay("49")
    shop.pay(made)

    shop.issue("49", assignment_key=None)
    shop.issue("49", "I-2", assignment_key="O-2")

    assert (shop.open("I-1"), shop.open("I-2")) == ("49.00", "49.00")
    assert shop.sums(made)[3] == "49.00"


def test_issuing_again_moves_nothing_again(shop: Shop) -> None:
    made = shop.prepay("49")
    shop.pay(made)
    shop.issue("30")
    before = len(shop.cashier.events(limit=1000))

    shop.issue("30")

    assert len(shop.cashier.events(limit=1000)) == before
    assert shop.sums(made)[2] == "30.00"


def test_credit_and_money_by_hand_pay_a_prepayment_too(shop: Shop) -> None:
    shop.cashier.top_up("C-1", usd("20"), via="card", method="tok_visa", key="t")
    made = shop.prepay("50")
    shop.cashier.pay_from_credit(made, key="c")
    shop.cashier.record(made, by="cash", amount=usd("30"), key="r")
    assert shop.sums(made)[0] == "paid"

    shop.issue("45")

    assert shop.open() == "0.00"
    assert shop.sums(made)[1:4] == ("50.00", "45.00", "5.00")


def test_an_authorized_amount_is_captured_for_the_invoice(shop: Shop) -> None:
    made = shop.prepay("100")
    held = shop.cashier.authorize(made, via="card", method="tok_visa", key="a")
    shop.cashier.capture(held, amount=usd("40"), key="c1", final=False)

    shop.issue("90")

    assert shop.cashier.invoice("I-1").claimed == usd("50")
    shop.cashier.capture(held, key="c2")
    assert shop.open() == "0.00"
    assert shop.sums(made) == ("paid", "100.00", "90.00", "10.00", "0.00")


# --- The invoice first ------------------------------------------------------------------


def test_money_that_is_on_its_way_is_for_the_invoice(shop: Shop) -> None:
    made = shop.prepay("100")
    pending = shop.pay(made, via="bank", method="tok_bank")
    assert pending.status is PaymentStatus.PROCESSING

    shop.issue("60")

    assert shop.cashier.invoice("I-1").claimed == usd("60")
    assert [(each.invoice, each.claimed) for each in shop.cashier.payment(pending).items] == [
        ("I-1", usd("60")),
        (made.id, usd("40")),
    ]
    with pytest.raises(ItemAlreadyBeingPaid):
        shop.pay("I-1", key="beside")
    shop.clock.advance(timedelta(days=5))
    shop.hear()
    shop.cashier.recover()
    assert shop.open() == "0.00"
    assert shop.sums(made) == ("paid", "100.00", "60.00", "40.00", "0.00")


def test_the_page_of_a_prepayment_pays_the_invoice(shop: Shop) -> None:
    made = shop.prepay("50")
    page = shop.open_page(made)

    shop.issue("50")
    shop.page.pay(page.reference)
    paid = shop.cashier.inquire(page)

    assert paid.status is PaymentStatus.SUCCEEDED
    assert shop.open() == "0.00"
    assert shop.sums(made)[0] == "balanced"


def test_paying_the_invoice_supersedes_the_page_of_the_prepayment(shop: Shop) -> None:
    made = shop.prepay("50")
    page = shop.open_page(made)
    shop.issue("50")
    shop.page.script("unknown_lost", operation="withdraw")

    shop.pay("I-1")
    shop.page.pay(page.reference)
    late = shop.cashier.inquire(page)

    assert shop.cashier.payment(page).superseded
    assert (shop.open(), late.credited) == ("0.00", usd("50"))
    assert shop.cashier.credits("C-1")[0].reason is CreditReason.ALREADY_PAID


def test_late_money_of_a_declined_payment_is_credit_once_the_invoice_is_paid(shop: Shop) -> None:
    made = shop.prepay("50")
    declined = shop.pay(made, method="tok_declined")
    shop.issue("50")
    shop.pay("I-1", key="again")

    shop.card.approve_late(declined.reference)
    shop.hear()

    assert shop.credit() == "50.00"
    assert shop.sums(made)[0] == "replaced"


def test_money_for_a_key_with_an_open_invoice_is_assigned_on_arrival(shop: Shop) -> None:
    shop.issue("60")
    check = shop.cashier.record("I-1", by="check", key="check")
    made = shop.prepay("100")
    shop.cashier.reverse(check, reason="bounced")

    shop.pay(made)

    assert shop.open() == "0.00"
    assert shop.sums(made) == ("paid", "100.00", "60.00", "40.00", "0.00")


def test_money_in_hand_for_a_replaced_prepayment_pays_the_invoice(shop: Shop) -> None:
    made = shop.prepay("50")
    shop.issue("50")

    with pytest.raises(PrepaymentReplaced):
        shop.cashier.record(made, by="cash", key="r")
    taken = shop.cashier.record(made, by="cash", amount=usd("50"), key="r")

    assert (shop.open(), taken.warnings) == ("0.00", ())
    assert shop.sums(made)[0] == "balanced"


def test_money_in_hand_pays_the_invoice_again_that_a_bounced_check_reopened(shop: Shop) -> None:
    made = shop.prepay("50")
    shop.issue("50")
    check = shop.cashier.record(made, by="check", amount=usd("50"), key="r")
    shop.cashier.reverse(check, reason="bounced")
    assert shop.open() == "50.00"

    taken = shop.cashier.record(made, by="cash", amount=usd("60"), key="r2")

    assert (shop.open(), shop.credit()) == ("0.00", "10.00")
    assert taken.warnings


def test_money_in_hand_that_nothing_can_take_becomes_credit_with_a_warning(shop: Shop) -> None:
    made = shop.prepay("50")
    shop.pay(made)
    shop.issue("50")

    taken = shop.cashier.record(made, by="cash", amount=usd("50"), key="r")

    assert shop.credit() == "50.00"
    assert made.id in taken.warnings[0]


def test_a_page_of_the_invoice_is_superseded_when_a_prepayment_pays_it(shop: Shop) -> None:
    made = shop.prepay("60")
    shop.issue("60")
    page = shop.open_page("I-1")

    shop.cashier.record(made, by="cash", amount=usd("60"), key="cash")

    assert shop.open() == "0.00"
    assert shop.cashier.payment(page).superseded


# --- Settlement -------------------------------------------------------------------------


def test_accepted_money_holds_the_invoice_until_it_settles(shop: Shop) -> None:
    made = shop.prepay("50")
    paid = shop.pay(made, via="slow")
    assert shop.sums(made)[1] == "0.00"
    assert shop.cashier.payment(paid).awaiting == usd("50")

    shop.issue("40")
    assert shop.cashier.invoice("I-1").claimed == usd("40")
    shop.slow.pay_out(paid.reference, fee=usd("1"))
    shop.hear()

    assert shop.open() == "0.00"
    assert shop.sums(made) == ("paid", "50.00", "40.00", "10.00", "0.00")


def test_accepted_money_that_goes_back_releases_the_invoice(shop: Shop) -> None:
    made = shop.prepay("50")
    paid = shop.pay(made, via="slow")
    shop.issue("50")

    shop.cashier.refund(paid, key="back")

    assert (shop.open(), shop.cashier.invoice("I-1").claimed) == ("50.00", usd("0"))


# --- Money that goes back ---------------------------------------------------------------


def test_a_return_before_the_assignment_reopens_the_prepayment(shop: Shop) -> None:
    made = shop.prepay("50")
    paid = shop.cashier.record(made, by="check", key="r")

    shop.cashier.reverse(paid, reason="bounced")

    assert shop.sums(made) == ("open", "0.00", "0.00", "0.00", "50.00")
    assert shop.events(made.id)[-1] == "prepayment.reopened"
    shop.pay(made)
    assert shop.sums(made)[0] == "paid"


def test_a_return_after_the_assignment_reopens_the_invoice(shop: Shop) -> None:
    made = shop.prepay("50")
    paid = shop.cashier.record(made, by="check", key="r")
    shop.issue("40")

    shop.cashier.reverse(paid, reason="bounced")

    assert shop.open() == "40.00"
    assert shop.sums(made) == ("balanced", "40.00", "40.00", "0.00", "0.00")
    with pytest.raises(PrepaymentReplaced):
        shop.pay(made)


def test_a_refund_names_the_prepayment_or_the_invoice(shop: Shop) -> None:
    made = shop.prepay("50")
    paid = shop.pay(made)
    shop.cashier.refund(paid, items=[Share(made, usd("5"))], key="b1", to="credit_note")
    assert shop.sums(made) == ("partially_paid", "45.00", "0.00", "45.00", "5.00")
    shop.issue("45")

    shop.cashier.refund(paid, amount=usd("10"), items=["I-1"], key="b2", to="reopen")

    assert shop.open() == "10.00"


def test_a_failed_refund_returns_to_the_prepayment_and_moves_on(shop: Shop) -> None:
    made = shop.prepay("50")
    paid = shop.pay(made)
    back = shop.cashier.refund(paid, key="b", to="reopen")
    assert shop.sums(made)[0] == "open"
    shop.issue("50")

    shop.card.fail_refund(back.payment.id and shop.cashier.attempts(paid)[-1].reference)
    shop.hear()

    assert shop.open() == "0.00"
    assert shop.sums(made)[0] == "balanced"


def test_a_dispute_takes_money_off_the_prepayment_and_a_lost_one_writes_nothing_off(
    shop: Shop,
) -> None:
    made = shop.prepay("50")
    paid = shop.pay(made)
    shop.card.dispute(paid.reference)
    shop.hear()
    assert shop.sums(made)[0] == "open"

    shop.card.lose_dispute(paid.reference)
    shop.hear()

    assert shop.sums(made) == ("open", "0.00", "0.00", "0.00", "50.00")
    assert shop.posted("chargeback_loss") == 0


def test_a_dispute_of_assigned_money_opens_the_invoice(shop: Shop) -> None:
    made = shop.prepay("50")
    paid = shop.pay(made)
    shop.issue("50")
    shop.card.dispute(paid.reference)
    shop.hear()
    assert (shop.open(), shop.cashier.invoice("I-1").disputed) == ("50.00", True)

    shop.card.win_dispute(paid.reference)
    shop.hear()

    assert shop.open() == "0.00"


def test_undoing_a_use_of_credit_opens_what_it_paid(shop: Shop) -> None:
    shop.cashier.top_up("C-1", usd("50"), via="card", method="tok_visa", key="t")
    made = shop.prepay("50")
    used = shop.cashier.pay_from_credit(made, key="c")
    shop.cashier.undo_credit_use(used)
    assert shop.sums(made)[0] == "open"
    again = shop.cashier.pay_from_credit(made, key="c2")
    shop.issue("50")

    shop.cashier.undo_credit_use(again)

    assert (shop.open(), shop.credit()) == ("50.00", "50.00")


# --- Voiding and closing ----------------------------------------------------------------


def test_voiding_the_invoice_returns_its_money_to_the_prepayment(shop: Shop) -> None:
    made = shop.prepay("100")
    shop.pay(Share(made, usd("40")))
    shop.issue("60")
    shop.pay("I-1", key="rest")

    voided = shop.cashier.void("I-1", reason="wrong total")

    assert voided.credited == usd("20")
    assert shop.credit() == "20.00"
    assert shop.sums(made) == ("partially_paid", "40.00", "0.00", "40.00", "60.00")
    assert shop.events(made.id)[-1] == "prepayment.reopened"
    shop.issue("55", "I-2")
    assert shop.open("I-2") == "15.00"


def test_voiding_one_of_two_invoices_moves_its_money_to_the_other(shop: Shop) -> None:
    made = shop.prepay("100")
    shop.pay(made)
    shop.issue("80")
    shop.issue("60", "I-2")
    assert shop.open("I-2") == "40.00"

    shop.cashier.void("I-1", reason="wrong")

    assert shop.open("I-2") == "0.00"
    now = shop.cashier.prepayment(made)
    assert (now.assigned, now.waiting, now.replaced_by) == (usd("60"), usd("40"), "I-2")


def test_voiding_an_unpaid_invoice_lets_the_prepayment_be_paid_again(shop: Shop) -> None:
    made = shop.prepay("50")
    shop.issue("50")
    shop.cashier.void("I-1", reason="wrong")

    shop.pay(made)

    assert shop.sums(made)[0] == "paid"


def test_closing_turns_the_money_into_credit(shop: Shop) -> None:
    made = shop.prepay("50")
    shop.pay(Share(made, usd("20")))

    closed = shop.cashier.close_prepayment(made, reason="the order was canceled")

    assert (closed.status, closed.credited) == (PrepaymentStatus.CLOSED, usd("20"))
    assert shop.cashier.credits("C-1")[0].reason is CreditReason.PREPAYMENT_CLOSED
    assert shop.cashier.close_prepayment(made, reason="again") == closed
    assert shop.events(made.id)[-1] == "prepayment.closed"
    with pytest.raises(PrepaymentIsClosed):
        shop.pay(made, key="again")
    assert shop.prepay("50", key="next").id != made.id


def test_money_that_comes_after_closing_is_credit(shop: Shop) -> None:
    made = shop.prepay("50")
    page = shop.open_page(made)
    shop.cashier.close_prepayment(made, reason="canceled")

    shop.page.pay(page.reference)
    late = shop.cashier.inquire(page)

    assert late.credited == usd("50")
    assert shop.cashier.credits("C-1")[0].reason is CreditReason.NOT_OWED


def test_voiding_the_invoice_of_a_closed_prepayment_makes_credit(shop: Shop) -> None:
    made = shop.prepay("50")
    shop.pay(made)
    shop.issue("30")
    shop.cashier.close_prepayment(made, reason="no more invoices")

    assert shop.cashier.void("I-1", reason="wrong").credited == usd("30")

    assert shop.credit() == "50.00"


def test_a_prepayment_that_is_being_paid_is_not_closed(shop: Shop) -> None:
    made = shop.prepay("50")
    shop.pay(made, via="bank", method="tok_bank")

    with pytest.raises(ItemAlreadyBeingPaid, match="prepayment"):
        shop.cashier.close_prepayment(made, reason="canceled")


# --- Keys -------------------------------------------------------------------------------


@pytest.mark.parametrize("alike", ["O-1", "o-1", "  O-1 ", "o-1\n"])
def test_keys_that_look_alike_are_one(shop: Shop, alike: str) -> None:
    made = shop.prepay("50", assignment_key="O-1")
    shop.pay(made)

    shop.issue("50", assignment_key=alike)

    assert shop.open() == "0.00"


def test_composed_and_decomposed_accents_are_one_key(shop: Shop) -> None:
    made = shop.prepay("50", assignment_key="Commande n\u00e9e")
    shop.pay(made)

    shop.issue("50", assignment_key="COMMANDE NE\u0301E")

    assert shop.open() == "0.00"


def test_the_key_of_another_customer_is_refused_and_reported(shop: Shop) -> None:
    made = shop.prepay("50")
    shop.pay(made)

    with pytest.raises(AssignmentConflict) as refused:
        shop.cashier.issue(
            number="X", customer="C-2", total=usd("50"), due="2031-01-01", assignment_key=" o-1"
        )
    with pytest.raises(AssignmentConflict):
        shop.prepay("50", customer="C-2", key="k2")

    assert (refused.value.owner, refused.value.customer) == ("C-1", "C-2")
    assert shop.events("customer:C-2") == ["assignment.conflict"] * 2
    with pytest.raises(InvoiceNotFound):
        shop.cashier.invoice("X")
    assert shop.sums(made)[3] == "50.00"


def test_a_key_stays_with_its_customer_when_all_is_balanced(shop: Shop) -> None:
    shop.pay(shop.prepay("50"))
    shop.issue("50")

    with pytest.raises(AssignmentConflict):
        shop.prepay("50", customer="C-2", key="k2")


def test_a_key_in_another_currency_is_another_key(shop: Shop) -> None:
    shop.prepay("50")
    shop.cashier.prepay("C-2", Money.of("EUR", "50"), assignment_key="O-1", key="k2")

    shop.issue("50")

    assert shop.open() == "50.00"


def test_a_second_prepayment_waits_until_the_first_is_assigned(shop: Shop) -> None:
    made = shop.prepay("50")

    with pytest.raises(AssignmentConflict) as refused:
        shop.prepay("20", key="k2")
    assert refused.value.prepayment == made.id
    shop.pay(made)
    shop.issue("30")
    with pytest.raises(AssignmentConflict, match="waits"):
        shop.prepay("20", key="k2")
    shop.issue("20", "I-2")

    assert shop.prepay("20", key="k2").status is PrepaymentStatus.OPEN
    assert shop.events("customer:C-1") == []  # no other customer is concerned


def test_an_issued_invoice_keeps_its_key(shop: Shop) -> None:
    shop.issue("50")

    with pytest.raises(NumberReused, match="assignment_key"):
        shop.issue("50", assignment_key="O-2")


# --- Bad input --------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "   ", "x" * 65, "a\tb", "a\u202eb", "ß" * 33, 7, None])
def test_a_bad_assignment_key_is_refused(shop: Shop, key: Any) -> None:
    with pytest.raises(InvalidValue, match="assignment_key"):
        shop.cashier.prepay("C-1", usd("50"), assignment_key=key, key="k")
    assert shop.cashier.prepayments() == []


@pytest.mark.parametrize("amount", ["0", "-1"])
def test_a_prepayment_of_nothing_is_refused(shop: Shop, amount: str) -> None:
    with pytest.raises(InvalidAmount):
        shop.prepay(amount)


@pytest.mark.parametrize(
    "data",
    [[1], "text", {"a": object()}, {"a": float("nan")}, {"a": "x" * 16_400}, {"a": "\ud800"}],
)
def test_data_that_is_not_small_json_is_refused(shop: Shop, data: Any) -> None:
    with pytest.raises(InvalidValue, match="data"):
        shop.prepay("50", data=data)


def test_the_same_key_returns_the_prepayment_and_other_facts_are_refused(shop: Shop) -> None:
    made = shop.prepay("50", data={"b": 1, "a": [1, None]})
    shop.pay(made)

    again = shop.prepay("50", data={"a": [1, None], "b": 1})

    assert again.id == made.id
    assert again.status is PrepaymentStatus.PAID
    with pytest.raises(KeyReused):
        shop.prepay("51", data={"a": [1, None], "b": 1})


def test_items_are_found_by_their_own_names(shop: Shop) -> None:
    made = shop.prepay("50")
    shop.issue("20", "I-9", assignment_key=None)

    with pytest.raises(InvoiceNotFound):
        shop.cashier.invoice(made.id)
    with pytest.raises(PrepaymentNotFound):
        shop.cashier.prepayment("I-9")
    with pytest.raises(InvoiceNotFound, match="prepayment"):
        shop.pay("ppy_none")
    with pytest.raises(InvoiceNotFound):
        shop.cashier.void(made.id, reason="x")
    both = shop.pay(made.id, "I-9")
    assert [str(each.paid.decimal) for each in both.items] == ["50.00", "20.00"]
    with pytest.raises(AlreadyPaid, match="prepayment"):
        shop.pay(made, key="again")


def test_a_prepayment_is_paid_in_its_own_currency(shop: Shop) -> None:
    made = shop.prepay("50")

    with pytest.raises(CurrencyMismatch):
        shop.pay(made, amount=Money.of("EUR", "50"))


# --- Reading ----------------------------------------------------------------------------


def test_prepayments_are_listed_by_page_customer_key_and_status(shop: Shop) -> None:
    made = [
        shop.prepay("10", key=f"k{number}", assignment_key=f"O-{number}", description="entry")
        for number in range(5)
    ]
    shop.prepay("10", key="other", assignment_key="Z", customer="C-2")
    shop.pay(made[2])

    pages = [shop.cashier.prepayments(customer="C-1", limit=3)]
    pages.append(shop.cashier.prepayments(customer="C-1", limit=3, after=pages[0][-1]))

    listed = [each.id for page in pages for each in page]
    assert listed == [each.id for each in reversed(made)]
    assert [each.id for each in shop.cashier.prepayments(assignment_key=" o-3")] == [made[3].id]
    assert [each.id for each in shop.cashier.prepayments(status="paid")] == [made[2].id]
    assert len(shop.cashier.prepayments(oldest_first=True)) == 6
    assert shop.cashier.invoices() == []
    with pytest.raises(PrepaymentNotFound):
        shop.cashier.prepayments(after="ppy_none")


def test_a_file_of_invoices_takes_their_prepayments(shop: Shop) -> None:
    shop.pay(shop.prepay("50"))
    shop.prepay("50", customer="C-2", assignment_key="theirs", key="k2")
    sheet = (
        "number,customer,currency,total,due,assignment_key\n"
        "A,C-1,USD,50.00,2031-01-01,o-1\n"
        "B,C-1,USD,50.00,2031-01-01,\n"
        "C,C-1,USD,50.00,2031-01-01,THEIRS\n"
        "D,C-1,USD,50.00,2031-01-01,new\n"
        "E,C-3,USD,50.00,2031-01-01,new\n"
        f"F,C-3,USD,50.00,2031-01-01,{'x' * 65}\n"
    )

    done = shop.cashier.import_invoices(sheet, skip_bad=True)

    assert [(each.number, each.open) for each in done.issued] == [
        ("A", usd("0")),
        ("B", usd("50")),
        ("D", usd("50")),
    ]
    assert [each.line for each in done.problems] == [4, 6, 7]
    assert shop.events("customer:C-1").count("assignment.conflict") == 1
    assert shop.events("customer:C-3").count("assignment.conflict") == 1


@pytest.mark.anyio
async def test_the_async_face_prepays() -> None:
    async with AsyncCashier.in_memory(gateways={"card": FakeGateway()}) as cashier:
        made = await cashier.prepay("C-1", usd("50"), assignment_key="O-1", key="k")
        await cashier.collect(made, via="card", method="tok_visa", key="p")
        await cashier.issue(
            number="I", customer="C-1", total=usd("50"), due="2031-01-01", assignment_key="O-1"
        )
        assert (await cashier.prepayment(made.id)).status is PrepaymentStatus.BALANCED
        assert await cashier.fsck() == []
