"""
Many movements of one payment: what one of them costs does not grow with those before it.

Work is counted in instructions of SQLite's virtual machine and in rows that Python reads, which
are the same on every machine. It is measured for one movement when few were booked before, and
when many were.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from paygate import Cashier, Kind, Money
from paygate.domain.movement import Movement, MovementKind
from paygate.gateway import Callback, Notice
from paygate.ledger.sqlite import SqliteStore
from paygate.testing import FakeClock
from tests.ledger.rich import Told, Wallet
from tests.reading import every_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from paygate.domain.payment import Payment

FEW, MANY = 6, 36
STEP = 20  # instructions
SUMS = 160  # instructions for each earlier movement
BACK = "https://shop.example/back"


@dataclass
class Work:
    """What the ledger has done: statements, rows that were read, and instructions of SQLite."""

    statements: int = 0
    rows: int = 0
    instructions: int = 0

    def __sub__(self, before: Work) -> Work:
        return Work(
            self.statements - before.statements,
            self.rows - before.rows,
            self.instructions - before.instructions,
        )


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    done = Work()

    class Cursor(sqlite3.Cursor):
        def fetchall(self) -> list[Any]:
            rows = super().fetchall()
            done.rows += len(rows)
            return rows

    class Counting(sqlite3.Connection):
        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, **more)
            self.set_progress_handler(self._step, STEP)
            self.set_trace_callback(self._begin)

        def _step(self) -> int:
            done.instructions += STEP
            return 0

        def _begin(self, _: str) -> None:
            done.statements += 1

        def execute(self, *given: Any) -> Any:
            return self.cursor(Cursor).execute(*given)

    monkeypatch.setattr(SqliteStore, "connection_class", Counting)
    return done


@dataclass
class Shop:
    """A shop with an account that says what a test lets it say, and a payment on its page."""

    path: Path
    work: Work
    quoted: bool = False
    credit_on: str = "accepted"
    told: Any = None
    number: int = 0
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.told = Wallet(self.clock) if self.quoted else Told(Kind.REDIRECT, clock=self.clock)
        other = Told(Kind.REDIRECT, clock=self.clock, merchant_account="other")
        self.others = other
        self.cashier = Cashier.open(
            f"sqlite:///{self.path / 'ledger.db'}",
            gateways={"told": {"gateway": self.told, "credit_on": self.credit_on}, "other": other},
            clock=self.clock,
        )
        self.payment = self.page("A-1", via="told")

    def page(self, number: str, *, via: str, total: str = "210") -> Payment:
        total_ = Money.of("USD", total)
        self.cashier.issue(number=number, customer="C-1", total=total_, due="2031-01-01")
        return self.cashier.collect(number, via=via, key=number, return_url=BACK)

    def say(self, *movements: Movement, via: str = "told", **said: Any) -> None:
        """Let the processor tell something, which waits in the inbox."""
        self.number += 1
        told = self.told if via == "told" else self.others
        reference = said.pop("reference", self.payment.reference)
        told.notice = Notice(
            event_id=f"e-{self.number}",
            type="moved",
            reference=reference,
            movements=movements,
            **said,
        )
        body = b"%d" % self.number
        callback = Callback(
            method="POST", path="/", headers={}, body=body, received_at=self.clock.now()
        )
        self.cashier.receive(via, callback)

    def hear(self, *movements: Movement, **said: Any) -> Work:
        """Let the processor tell something, apply it, and return what that took."""
        self.say(*movements, **said)
        before = replace(self.work)
        assert len(self.cashier.apply_callbacks()) == 1
        return self.work - before


@pytest.fixture
def shops(tmp_path: Path, work: Work) -> Iterator[Callable[..., Shop]]:
    opened: list[Shop] = []

    def shop(**how: Any) -> Shop:
        opened.append(Shop(tmp_path, work, **how))
        return opened[-1]

    yield shop
    for each in opened:
        each.cashier.close()


def coin(number: int, minor: int = 100, currency: str = "USD", **more: Any) -> Movement:
    return Movement(movement_id=f"out-{number}", amount=Money(currency, minor), **more)


def compare(shop: Shop, of: Callable[[int], Movement]) -> None:
    """
    Apply movements one by one, and compare what one takes after few of them and after many.

    SQLite may add up those before it, a few instructions for each.
    """
    taken = [shop.hear(of(number)) for number in range(MANY + 1)]
    few, many = taken[FEW], taken[MANY]

    assert many.statements <= few.statements
    assert many.rows <= few.rows
    assert many.instructions <= few.instructions + SUMS * (MANY - FEW)
    assert shop.cashier.fsck() == []


@pytest.mark.parametrize(
    ("currency", "credit_on", "minor"),
    [
        ("USD", "accepted", 100),
        ("USD", "settled", 100),
        ("BTC", "accepted", 100),
        ("BTC", "accepted", 4000),
    ],
    ids=["accepted", "held until it settles", "for a quote", "more than was asked for"],
)
def test_money_in_many_parts(
    shops: Callable[..., Shop], currency: str, credit_on: str, minor: int
) -> None:
    shop = shops(quoted=currency == "BTC", credit_on=credit_on)

    compare(shop, lambda number: coin(number, minor, currency))

    receipts = list(shop.cashier.receipts(shop.payment))
    received = shop.cashier.payment(shop.payment).received
    assert len(receipts) == MANY + 1
    assert received == Money("USD", sum(receipt.amount.minor for receipt in receipts))


def test_money_in_many_parts_that_settles_later(shops: Callable[..., Shop]) -> None:
    shop = shops(credit_on="settled")
    shop.hear(*[coin(number) for number in range(MANY + 2)])

    def settled(number: int) -> Movement:
        return coin(number, settled=Money("USD", 100), settled_on=date(2026, 1, 2))

    compare(shop, settled)
    assert not shop.cashier.payment(shop.payment).settled
    shop.hear(settled(MANY + 1))

    assert shop.cashier.payment(shop.payment).settled


def test_money_in_many_parts_that_goes_back(shops: Callable[..., Shop]) -> None:
    shop = shops(quoted=True)
    for number in range(MANY + 2):
        shop.hear(coin(number, 100, "BTC"))

    def gone(number: int) -> Movement:
        return Movement(
            movement_id=f"out-{number}:gone",
            kind=MovementKind.RETURN,
            amount=Money("BTC", 100),
            undoes=f"out-{number}",
        )

    taken = [shop.hear(gone(number)) for number in range(MANY + 1)]

    # Ever fewer receipts stand, and each is looked at as long as it does.
    payment = shop.cashier.payment(shop.payment)
    left = shop.cashier.receipts(payment)[MANY + 1]
    assert payment.received - payment.returned == left.amount
    assert taken[FEW].statements == taken[MANY].statements
    assert taken[FEW].rows - taken[MANY].rows <= MANY - FEW
    assert shop.cashier.fsck() == []


def test_many_movements_in_one_callback(shops: Callable[..., Shop]) -> None:
    shop = shops()
    few = shop.hear(*[coin(number) for number in range(FEW)])
    many = shop.hear(*[coin(FEW + number) for number in range(MANY)])

    assert many.statements / MANY <= few.statements / FEW
    assert many.rows / MANY <= few.rows / FEW
    assert many.instructions / MANY <= few.instructions / FEW + SUMS * MANY
    assert shop.cashier.payment(shop.payment).received == Money("USD", 100 * (FEW + MANY))
    assert shop.cashier.fsck() == []


def test_a_callback_of_many_movements_lets_another_account_go_first(
    shops: Callable[..., Shop],
) -> None:
    shop = shops()
    page = shop.page("A-2", via="other")
    shop.say(*[coin(number) for number in range(MANY)])
    shop.say(coin(0, 21000), via="other", reference=page.reference)

    shop.cashier.apply_callbacks()

    booked = [each for each in every_event(shop.cashier) if each.type == "receipt.booked"]
    assert booked[0].aggregate == page.id
    assert len(booked) == 1 + MANY
