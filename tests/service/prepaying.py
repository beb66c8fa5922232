"""A shop that takes prepayments, for the tests of them."""

from __future__ import annotations

from typing import Any

from paygate import Cashier, Kind, Money, Payment, Prepayment
from paygate.ledger.tx import Tx
from paygate.testing import FakeClock, FakeGateway

BACK = "https://shop.example/back"


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


class Shop:
    """A cashier in memory whose customer C-1 prepays order O-1."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.card = FakeGateway(Kind.CARD, clock=self.clock)
        self.slow = FakeGateway(Kind.CARD, clock=self.clock, merchant_account="slow")
        self.page = FakeGateway(Kind.REDIRECT, clock=self.clock)
        self.bank = FakeGateway(Kind.E_CHECK, clock=self.clock)
        self.cashier = Cashier.in_memory(
            gateways={
                "card": self.card,
                "slow": {"gateway": self.slow, "credit_on": "settled"},
                "page": self.page,
                "bank": self.bank,
            },
            clock=self.clock,
        )

    def prepay(self, amount: str = "100", *, key: str = "k", **more: Any) -> Prepayment:
        given: dict[str, Any] = {"customer": "C-1", "assignment_key": "O-1"} | more
        customer = given.pop("customer")
        return self.cashier.prepay(customer, usd(amount), key=key, **given)

    def issue(self, total: str, number: str = "I-1", *, assignment_key: str | None = "O-1") -> None:
        self.cashier.issue(
            number=number,
            customer="C-1",
            total=usd(total),
            due="2031-01-01",
            assignment_key=assignment_key,
        )

    def pay(self, *items: Any, via: str = "card", key: str = "pay", **more: Any) -> Payment:
        given: dict[str, Any] = {"method": "tok_visa"} | more
        return self.cashier.collect(list(items), via=via, key=key, **given)

    def open_page(self, *items: Any, key: str = "page") -> Payment:
        return self.pay(*items, via="page", key=key, method=None, return_url=BACK)

    def hear(self) -> None:
        for name in ("card", "slow", "page", "bank"):
            for callback in getattr(self, name).callbacks():
                self.cashier.receive(name, callback)
        self.cashier.apply_callbacks()

    def open(self, number: str = "I-1") -> str:
        return str(self.cashier.invoice(number).open.decimal)

    def credit(self) -> str:
        return str(self.cashier.balance("C-1")["USD"].decimal)

    def sums(self, made: Prepayment) -> tuple[str, ...]:
        """Return what is paid on, assigned from, waiting on and open of a prepayment."""
        now = self.cashier.prepayment(made)
        amounts = (now.paid, now.assigned, now.waiting, now.open)
        return (now.status.value, *(str(each.decimal) for each in amounts))

    def posted(self, account: str) -> int:
        def work(tx: Tx) -> int:
            sql = """SELECT coalesce(sum(amount_minor), 0) AS minor FROM paygate_posting
                     WHERE ledger_account = :account"""
            row = tx.one(sql, {"account": account})
            assert row is not None
            return int(row["minor"])

        store, context = vars(self.cashier)["_store"], vars(self.cashier)["_context"]
        return int(store.read(context, work))

    def events(self, of: str) -> list[str]:
        return [each.type for each in self.cashier.events(limit=1000) if each.aggregate == of]
