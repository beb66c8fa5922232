"""A network asks before it takes money, and is answered from the ledger."""

import json
from typing import Any

import pytest

from paygate import Cashier, Customer, Payment, PaymentStatus, ShowVoucher
from paygate.domain.callback import InboxState
from paygate.errors import NotAuthentic
from paygate.gateway import Callback, PayerFacts, Question, Reply
from paygate.testing import FakeClock, FakeKiosk
from tests.service.world import assert_sound, usd

NUMBER = "7001"


class Shop:
    """A cashier with a network of kiosks, and one customer with two invoices."""

    def __init__(self, kiosk: type[FakeKiosk] = FakeKiosk, **terms: Any) -> None:
        self.clock = FakeClock()
        self.kiosk = kiosk(clock=self.clock)
        self.cashier = Cashier.in_memory(
            gateways={"kiosk": {"gateway": self.kiosk, **terms}}, clock=self.clock
        )
        ada = Customer("C-1", name="Ada Lovelace")
        for number, due in (("NEW", "2026-05-01"), ("OLD", "2026-02-01")):
            self.cashier.issue(number=number, customer=ada, total=usd("40"), due=due)
        self.cashier.assign_payer_number("C-1", NUMBER, via="kiosk")

    def hear(self, callback: Callback) -> dict[str, Any]:
        reply = self.cashier.receive("kiosk", callback)
        return {"status": reply.status, **json.loads(reply.body)}


def number_of(slip: Payment) -> str:
    """Return the number that a payer with *slip* types."""
    assert isinstance(slip.action, ShowVoucher)
    return slip.action.reference


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_a_check_says_whose_number_it_is_and_what_is_due(shop: Shop) -> None:
    assert shop.hear(shop.kiosk.ask(NUMBER, usd("5"))) == {
        "status": 200,
        "result": "payable",
        "due": 8000,
        "name": "A*** L***",
    }
    assert shop.hear(shop.kiosk.ask("7002", usd("5")))["result"] == "not_found"
    assert shop.cashier.payments() == []
    assert shop.cashier.callbacks() == []


def test_cash_pays_the_oldest_invoice_once(shop: Shop) -> None:
    cash = shop.kiosk.put_in(NUMBER, usd("50"), "t-1")
    first = shop.hear(cash)
    assert (first["status"], first["result"]) == (200, "booked")
    assert first["number"] > 0
    shop.clock.advance(minutes=1)
    again = shop.kiosk.put_in(NUMBER, usd("50"), "t-1")
    assert [shop.hear(cash), shop.hear(again)] == [first, first]
    [payment] = shop.cashier.payments()
    assert (payment.status, payment.received) == (PaymentStatus.SUCCEEDED, usd("50"))
    assert [shop.cashier.invoice(each).open for each in ("OLD", "NEW")] == [usd("0"), usd("30")]
    assert shop.hear(shop.kiosk.ask(NUMBER, usd("5")))["due"] == 3000
    assert_sound(shop.cashier)


@pytest.mark.parametrize(("number", "amount"), [(NUMBER, 51), ("7002", 50)])
def test_the_same_transaction_with_other_facts_is_flagged_and_not_booked(
    shop: Shop, number: str, amount: int
) -> None:
    shop.hear(shop.kiosk.put_in(NUMBER, usd("50"), "t-1"))
    other = shop.kiosk.put_in(number, usd(str(amount)), "t-1")
    assert shop.hear(other) == {"status": 409, "result": "conflict"}
    assert shop.hear(other) == {"status": 409, "result": "conflict"}
    [payment] = shop.cashier.payments()
    assert payment.received == usd("50")
    states = [each.state for each in shop.cashier.callbacks(oldest_first=True)]
    assert states == [InboxState.APPLIED, InboxState.CONFLICTED]
    assert shop.hear(shop.kiosk.put_in(NUMBER, usd("50"), "t-1"))["result"] == "booked"


def test_cash_for_nobodys_number_is_booked_and_flagged(shop: Shop) -> None:
    assert shop.hear(shop.kiosk.put_in("9999", usd("3"), "t-1"))["result"] == "booked"
    [payment] = shop.cashier.payments(needs_review=True)
    assert (payment.customer, payment.unallocated) == ("", usd("3"))
    shop.cashier.assign(payment, customer="C-1", reason="the receipt of the kiosk")
    assert shop.cashier.payment(payment).credited == usd("3")
    assert_sound(shop.cashier)


def test_a_reservation_holds_nothing_and_its_money_pays(shop: Shop) -> None:
    shop.hear(shop.kiosk.reserve(NUMBER, usd("40"), "t-1"))
    [payment] = shop.cashier.payments()
    assert payment.status is PaymentStatus.REQUIRES_ACTION
    assert [shop.cashier.invoice(each).claimed for each in ("OLD", "NEW")] == [usd("0"), usd("0")]
    shop.hear(shop.kiosk.put_in(NUMBER, usd("40"), "t-1"))
    [payment] = shop.cashier.payments()
    assert (payment.status, payment.received) == (PaymentStatus.SUCCEEDED, usd("40"))
    assert shop.cashier.invoice("OLD").open == usd("0")
    assert_sound(shop.cashier)


def test_a_reservation_for_nobodys_number_is_not_made(shop: Shop) -> None:
    assert shop.hear(shop.kiosk.reserve("9999", usd("40"), "t-1"))["result"] == "not_found"
    assert shop.cashier.payments() == []


def test_money_of_a_reservation_whose_invoice_is_paid_otherwise_is_credit(shop: Shop) -> None:
    shop.hear(shop.kiosk.reserve(NUMBER, usd("40"), "t-1"))
    shop.cashier.record("OLD", by="cash", key="till-1")
    shop.hear(shop.kiosk.put_in(NUMBER, usd("40"), "t-1"))
    payment = next(each for each in shop.cashier.payments() if each.account == "kiosk")
    assert (payment.received, payment.credited) == (usd("40"), usd("40"))
    assert shop.cashier.balance("C-1")["USD"] == usd("40")
    assert_sound(shop.cashier)


def test_money_after_a_canceled_reservation_is_booked(shop: Shop) -> None:
    shop.hear(shop.kiosk.reserve(NUMBER, usd("40"), "t-1"))
    shop.hear(shop.kiosk.cancel_reserved(NUMBER, usd("40"), "t-1"))
    assert [each.status for each in shop.cashier.payments()] == [PaymentStatus.CANCELED]
    shop.hear(shop.kiosk.put_in(NUMBER, usd("40"), "t-1"))
    [payment] = shop.cashier.payments()
    assert payment.received == usd("40")
    assert_sound(shop.cashier)


def test_an_open_and_a_withdrawn_slip_are_told_apart(shop: Shop) -> None:
    slip = shop.cashier.collect(["OLD"], via="kiosk", key="k-1")
    reference = number_of(slip)
    assert shop.hear(shop.kiosk.ask(reference, usd("40")))["result"] == "payable"
    shop.cashier.cancel(slip, key="k-2")
    assert shop.hear(shop.kiosk.ask(reference, usd("40")))["result"] == "withdrawn"
    shop.hear(shop.kiosk.put_in(reference, usd("40"), "t-1"))
    assert shop.cashier.payment(slip).received == usd("40")
    assert_sound(shop.cashier)


def test_cash_for_a_slip_pays_its_invoice(shop: Shop) -> None:
    slip = shop.cashier.collect(["NEW"], via="kiosk", key="k-1")
    shop.hear(shop.kiosk.put_in(number_of(slip), usd("40"), "t-1"))
    assert shop.cashier.payment(slip).status is PaymentStatus.SUCCEEDED
    assert shop.cashier.invoice("NEW").open == usd("0")
    assert shop.hear(shop.kiosk.ask(number_of(slip), usd("40")))["result"] == "paid"


def test_limits_and_a_disabled_account_are_told_and_cash_is_booked_nevertheless() -> None:
    shop = Shop(by_currency={"USD": {"minimum": "5", "maximum": "20"}})
    asked = [shop.hear(shop.kiosk.ask(NUMBER, usd(str(each))))["result"] for each in (4, 5, 20, 21)]
    assert asked == ["too_small", "payable", "payable", "too_large"]
    shop = Shop(enabled=False)
    assert shop.hear(shop.kiosk.ask(NUMBER, usd("4")))["result"] == "disabled"
    assert shop.hear(shop.kiosk.put_in(NUMBER, usd("4"), "t-1"))["result"] == "booked"


def test_what_is_not_authentic_is_refused_in_the_networks_words_and_counted(shop: Shop) -> None:
    forged = FakeKiosk(signing_key="another key", clock=shop.clock).put_in(NUMBER, usd("5"), "t-1")
    assert shop.hear(forged) == {"status": 403, "result": "not authentic"}
    assert shop.cashier.payments() == []
    assert shop.cashier.callbacks() == []
    [refused] = shop.cashier.status().accounts[0].refused
    assert (refused.account, refused.times) == ("kiosk", 1)


class Silent(FakeKiosk):
    """A driver without words of its own for what is not authentic."""

    def refuse(self, callback: Callback) -> Reply | None:
        del callback
        return None


def test_without_words_of_its_own_a_refusal_is_raised() -> None:
    shop = Shop(Silent)
    forged = FakeKiosk(signing_key="another key", clock=shop.clock).put_in(NUMBER, usd("5"), "t-1")
    with pytest.raises(NotAuthentic):
        shop.cashier.receive("kiosk", forged)


class Broken(FakeKiosk):
    """A driver that fails when it answers."""

    def reply_to(self, question: Question, facts: PayerFacts) -> Reply:
        raise RuntimeError(question.payer_number, facts.name)


def test_a_failing_driver_lets_the_network_try_again() -> None:
    shop = Shop(Broken)
    reply = shop.cashier.receive("kiosk", shop.kiosk.put_in(NUMBER, usd("5"), "t-1"))
    assert (reply.status, shop.cashier.payments()) == (503, [])
