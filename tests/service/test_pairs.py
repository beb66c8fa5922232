"""Laws of pairs: what is done and undone leaves no trace, also if two pairs cross."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from paygate import Money, Payment
from paygate.domain.movement import MovementKind
from paygate.errors import InvalidAmount, Refused
from tests.service.test_put_back import Shop
from tests.stores import rows_of

Undo: TypeAlias = Callable[[], object]

cents = st.integers(min_value=1, max_value=6_000)


def cad(minor: int) -> Money:
    return Money("CAD", minor)


@dataclass
class Books:
    """A shop with one payment of two invoices, some of it credit; pairs are played on it."""

    shop: Shop
    payment: Payment
    names: Any

    def left(self) -> int:
        now = self.shop.cashier.payment(self.payment)
        return (now.received - now.returned).minor

    def reported(self, kind: MovementKind, name: str, minor: int, undoes: str = "") -> None:
        self.shop.report(self.payment, kind, name, str(cad(minor).decimal), undoes)

    # --- Pairs: each does something, and returns what undoes it -----------------------------------

    def dispute(self, minor: int) -> Undo:
        name = f"dp-{next(self.names)}"
        self.reported(MovementKind.CHARGEBACK, name, minor)
        return lambda: self.reported(MovementKind.CHARGEBACK_WON, name, minor, undoes=name)

    def refund_elsewhere(self, minor: int) -> Undo:
        name = f"rf-{next(self.names)}"
        self.reported(MovementKind.REFUND, name, minor)
        return lambda: self.reported(MovementKind.REFUND_FAILED, f"{name}-f", minor, undoes=name)

    def refund_by_hand(self, minor: int) -> Undo:
        key = f"k-{next(self.names)}"
        [receipt] = self.shop.cashier.record_refund(
            self.payment, amount=cad(minor), by="cash", reference="till", to="reopen", key=key
        )
        return lambda: self.shop.cashier.undo_record_refund(receipt, reason="not sent")

    def write_off(self, minor: int) -> Undo:
        open_ = self.shop.cashier.invoice("B").open.minor
        made = self.shop.cashier.write_off(
            "B", amount=cad(min(minor, open_)), reason="goodwill", key=f"w-{next(self.names)}"
        )
        return lambda: self.shop.cashier.undo_write_off(made)

    def use_credit(self, minor: int) -> Undo:
        free = self.shop.cashier.balance("C").get("CAD", cad(0)).minor
        room = self.shop.cashier.invoice("B").open.minor
        made = self.shop.cashier.pay_from_credit(
            "B", amount=cad(min(minor, free, room)), key=f"u-{next(self.names)}"
        )
        return lambda: self.shop.cashier.undo_credit_use(made)


PAIRS = ("dispute", "refund_elsewhere", "refund_by_hand", "write_off", "use_credit")


def opened(over: int) -> Books:
    shop = Shop()
    for number in ("A", "A2"):
        shop.issue(number, "30")
    shop.issue("B", "40")
    payment = shop.cashier.collect(
        ["A", "A2"], via="reporting", method="tok_visa", amount=cad(6_000 + over), key="pay"
    )
    return Books(shop, payment, count(1))


def snapshot(books: Books) -> tuple[object, ...]:
    """Return where the money stands: invoices, credit, what is posted on each account."""
    shop = books.shop
    now = shop.cashier.payment(books.payment)
    posted = rows_of(
        shop.cashier,
        """
        SELECT ledger_account, coalesce(item, '') AS item, sum(amount_minor) AS minor
        FROM paygate_posting
        WHERE ledger_account <> 'in_transit' AND ledger_account <> 'settled'
          AND (ledger_account <> 'customer_credit' OR credit IS NULL)
        GROUP BY ledger_account, item HAVING sum(amount_minor) <> 0 ORDER BY 1, 2
        """,
    )
    return (
        [
            (each.number, each.open, each.written_off, each.claimed, each.status, each.disputed)
            for each in shop.cashier.invoices()
        ],
        sorted((each.amount.minor, each.used.minor) for each in shop.cashier.credits("C")),
        shop.balance(),
        (now.received - now.returned, now.unallocated, now.needs_review, now.disputed),
        [(row["ledger_account"], row["item"], row["minor"]) for row in posted],
    )


def play(books: Books, pair: str, minor: int) -> Undo | None:
    try:
        undo: Undo = getattr(books, pair)(minor)
    except (Refused, InvalidAmount):
        return None
    return undo


@settings(deadline=None, max_examples=max(20, settings().max_examples // 2))
@given(over=cents, pair=st.sampled_from(PAIRS), minor=cents)
def test_what_is_done_and_undone_leaves_no_trace(over: int, pair: str, minor: int) -> None:
    books = opened(over)
    before = snapshot(books)

    undo = play(books, pair, min(minor, books.left()))
    if undo is not None:
        undo()

    assert snapshot(books) == before
    assert books.shop.cashier.fsck() == []


@settings(deadline=None, max_examples=max(20, settings().max_examples // 2))
@given(
    over=cents,
    pairs=st.tuples(st.sampled_from(PAIRS), st.sampled_from(PAIRS)),
    minors=st.tuples(cents, cents),
    crossed=st.booleans(),
)
def test_two_pairs_are_undone_in_either_order(
    over: int, pairs: tuple[str, str], minors: tuple[int, int], crossed: bool
) -> None:
    """The sums are the same; which invoice the money is on may follow from the order."""
    books = opened(over)
    before = sums(books)

    undos = [play(books, pair, minor) for pair, minor in zip(pairs, minors, strict=True)]
    done = [undo for undo in undos if undo is not None]
    assert books.shop.cashier.fsck() == []
    for undo in done if crossed else reversed(done):
        undo()

    assert books.shop.cashier.fsck() == []
    assert sums(books) == before


def sums(books: Books) -> tuple[object, ...]:
    """Return what the customer owes in all, what is written off, and what the payment holds."""
    shop = books.shop
    now = shop.cashier.payment(books.payment)
    open_ = sum(each.open.minor for each in shop.cashier.invoices())
    given_up = sum(each.written_off.minor for each in shop.cashier.invoices())
    free = shop.cashier.balance("C").get("CAD", cad(0)).minor
    return open_ - free, given_up, now.received - now.returned, now.needs_review, now.disputed
