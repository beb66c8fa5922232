"""Disputes: opened, taken, lost, won; told in any order and twice."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import pytest
from cryptography.fernet import Fernet

from paygate import Cashier, Mandate, Money
from paygate.domain.chargeback import Chargeback
from paygate.domain.payment import Payment
from paygate.errors import InvoiceDisputed
from paygate.testing import FakeClock, FakeGateway
from tests.stores import rows_of


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


class Shop:
    """A merchant with one paid invoice, whose payer changes his mind."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.card = FakeGateway(clock=self.clock)
        self.cashier = Cashier.in_memory(gateways={"card": self.card}, clock=self.clock)
        self.cashier.issue(number="A", customer="C", total=usd("30"), due="2026-02-01")
        self.payment = self.cashier.collect("A", via="card", method="tok_visa", key="pay")
        self.name = self.payment.reference
        self.card.callbacks()

    def hear(self) -> Payment:
        for callback in self.card.callbacks():
            self.cashier.receive("card", callback)
        self.cashier.apply_callbacks()
        return self.cashier.payment(self.payment)

    def chargeback(self) -> Chargeback:
        [found] = self.cashier.chargebacks(payment=self.payment)
        return found

    def open(self) -> str:
        return str(self.cashier.invoice("A").open.decimal)

    def events(self) -> list[str]:
        told = self.cashier.events(limit=1000)
        return [each.type for each in told if each.aggregate == self.payment.id]

    def ledger(self, account: str) -> int:
        sql = """
            SELECT coalesce(sum(amount_minor), 0) AS minor FROM paygate_posting
            WHERE ledger_account = :account
        """
        [row] = rows_of(self.cashier, sql, account=account)
        return int(row["minor"])


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture(autouse=True)
def the_books_are_sound(shop: Shop) -> Iterator[None]:
    yield
    assert shop.cashier.fsck() == []


def test_an_opened_dispute_moves_no_money_and_tells_its_deadline(shop: Shop) -> None:
    shop.card.open_dispute(shop.name, days=10)

    payment = shop.hear()

    assert payment.disputed
    assert shop.open() == "0.00"
    found = shop.chargeback()
    assert (found.state, found.amount, found.taken) == ("opened", usd("30"), usd("0"))
    assert found.respond_by is not None
    assert (found.respond_by - shop.clock.now()).days == 10
    assert shop.events()[-1] == "payment.disputed"


def test_what_the_bank_takes_marks_the_invoice(shop: Shop) -> None:
    shop.card.open_dispute(shop.name)
    shop.card.dispute(shop.name)

    shop.hear()

    assert (shop.open(), shop.cashier.invoice("A").disputed) == ("30.00", True)
    assert shop.chargeback().taken == usd("30")


def test_a_lost_dispute_is_a_loss_and_not_owed(shop: Shop) -> None:
    shop.card.open_dispute(shop.name)
    shop.card.dispute(shop.name)
    shop.card.lose_dispute(shop.name)

    payment = shop.hear()

    assert payment.disputed
    assert shop.open() == "0.00"
    found = shop.chargeback()
    assert (found.state, found.lost) == ("lost", usd("30"))
    assert found.ended_at == shop.clock.now()
    assert (shop.ledger("chargeback_loss"), shop.ledger("write_off")) == (3000, 0)
    assert shop.events().count("payment.chargeback_lost") == 1


def test_a_loss_that_is_undone_is_owed_again_and_still_disputed(shop: Shop) -> None:
    shop.card.open_dispute(shop.name)
    shop.card.dispute(shop.name)
    shop.card.lose_dispute(shop.name)
    shop.hear()
    [found] = rows_of(shop.cashier, "SELECT id FROM paygate_write_off")

    shop.cashier.undo_write_off(found["id"])

    assert (shop.open(), shop.cashier.invoice("A").disputed) == ("30.00", True)
    assert (shop.ledger("chargeback_loss"), shop.ledger("write_off")) == (0, 0)
    assert shop.chargeback().lost == usd("0")


def test_a_partial_dispute_loses_that_part(shop: Shop) -> None:
    shop.card.open_dispute(shop.name, usd("12"))
    shop.card.dispute(shop.name, usd("12"))
    shop.hear()
    assert shop.open() == "12.00"

    shop.card.lose_dispute(shop.name)
    shop.hear()

    assert (shop.open(), shop.ledger("chargeback_loss")) == ("0.00", 1200)


def test_what_was_paid_otherwise_meanwhile_is_not_lost(shop: Shop) -> None:
    shop.card.open_dispute(shop.name)
    shop.card.dispute(shop.name)
    shop.hear()
    shop.cashier.record("A", by="cash", key="cash", amount=usd("20"))

    shop.card.lose_dispute(shop.name)
    shop.hear()

    assert (shop.open(), shop.ledger("chargeback_loss")) == ("0.00", 1000)


def test_a_win_after_a_loss_takes_the_loss_back(shop: Shop) -> None:
    shop.card.open_dispute(shop.name)
    shop.card.dispute(shop.name)
    shop.card.lose_dispute(shop.name)
    shop.hear()

    shop.card.win_dispute(shop.name)
    payment = shop.hear()

    assert not payment.disputed
    assert (payment.received - payment.returned, shop.open()) == (usd("30"), "0.00")
    assert not shop.cashier.invoice("A").disputed
    found = shop.chargeback()
    assert (found.state, found.taken, found.lost) == ("won", usd("0"), usd("0"))
    assert shop.ledger("chargeback_loss") == 0
    assert shop.events().count("payment.chargeback_won") == 1


@pytest.mark.parametrize("won", [False, True], ids=["lost", "won"])
def test_every_order_of_what_is_told_ends_the_same(won: bool) -> None:
    ended: set[tuple[object, ...]] = set()
    for order in permutations(range(4 if won else 3)):
        shop = Shop()
        shop.card.open_dispute(shop.name)
        shop.card.dispute(shop.name)
        (shop.card.win_dispute if won else shop.card.lose_dispute)(shop.name)
        told = shop.card.callbacks()
        assert len(told) == len(order)
        for place in order:
            shop.cashier.receive("card", told[place])
            shop.cashier.apply_callbacks()
            shop.cashier.receive("card", told[place])
        for _ in range(4):
            shop.clock.advance(days=1)
            shop.cashier.apply_callbacks()
        assert shop.cashier.fsck() == []
        payment, found = shop.cashier.payment(shop.payment), shop.chargeback()
        ended.add(
            (
                *(payment.received, payment.returned, payment.disputed, shop.open()),
                *(found.state, found.taken, found.lost, shop.ledger("chargeback_loss")),
                shop.cashier.invoice("A").disputed,
            )
        )
    assert len(ended) == 1


def test_chargebacks_are_listed_by_state(shop: Shop) -> None:
    shop.card.open_dispute(shop.name)
    shop.hear()

    assert [each.state for each in shop.cashier.chargebacks(state="opened")] == ["opened"]
    assert shop.cashier.chargebacks(state="lost") == []


def test_money_that_no_rule_placed_is_disputed_all_the_same(shop: Shop) -> None:
    """It came in another currency than was asked for, and waits for a person."""
    shop.cashier.issue(number="B", customer="C", total=usd("30"), due="2026-02-01")
    shop.payment = shop.cashier.collect("B", via="card", method="tok_other_currency", key="b")
    shop.card.dispute(shop.payment.reference)

    payment = shop.hear()

    euros = Money.of("EUR", "30")
    found = shop.chargeback()
    assert payment.disputed
    assert (found.state, found.amount, found.taken) == ("opened", euros, euros)
    assert shop.events().count("payment.charged_back") == 1

    shop.card.win_dispute(shop.payment.reference)
    payment = shop.hear()

    assert not payment.disputed
    assert (shop.chargeback().state, shop.chargeback().taken) == ("won", Money("EUR", 0))
    assert shop.events().count("payment.chargeback_won") == 1


def test_what_is_disputed_is_not_charged_without_the_payer() -> None:
    clock = FakeClock()
    card = FakeGateway(clock=clock)
    keys = [Fernet.generate_key()]
    mandate = Mandate(text_version="m-1", accepted_at=clock.now())
    with Cashier.in_memory(gateways={"card": card}, clock=clock, token_keys=keys) as till:
        method = till.enroll("C", via="card", method="tok_visa", key="m", mandate=mandate).method
        for number in ("A", "B"):
            till.issue(number=number, customer="C", total=usd("30"), due="2026-02-01")
        paid = till.collect("A", via="card", method=method, key="a")
        card.open_dispute(paid.reference)
        card.dispute(paid.reference)
        till.inquire(paid)
        before = till.payments()

        with pytest.raises(InvoiceDisputed) as refused:
            till.collect(["B", "A"], via="card", method=method, key="b", payer_present=False)

        assert (refused.value.item, refused.value.payment) == ("A", paid.id)
        assert refused.value.dispute == till.chargebacks(oldest_first=True)[0].reference
        assert till.payments() == before
        assert till.invoice("B").claimed == usd("0")
        assert till.collect("A", via="card", method=method, key="c").received == usd("30")
        alone = till.collect("B", via="card", method=method, key="d", payer_present=False)
        assert alone.received == usd("30")
        assert till.fsck() == []
