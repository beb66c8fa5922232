"""What a transaction knows already is what it would read again, whatever it wrote meanwhile."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from paygate import Cashier, Customer, Money
from paygate.ledger import (
    accounts,
    attempts,
    claims,
    customers,
    items,
    payments,
    reviews,
    stored_requests,
)
from paygate.ledger.claims import Claim
from paygate.ledger.holding import hold_ledger
from paygate.ledger.tx import Tx
from paygate.testing import FakeGateway

USD_30 = Money("USD", 3000)


@pytest.fixture
def cashier() -> Iterator[Cashier]:
    with Cashier.open("sqlite:///:memory:", gateways={"card": FakeGateway()}) as opened:
        for number in ("A-1", "A-2"):
            opened.issue(number=number, customer="C-1", total=USD_30, due="2031-01-01")
        yield opened


def states(tx: Tx, payment: str) -> list[tuple[int, int, str]]:
    return [(each.position, each.minor, each.state) for each in claims.of_payment(tx, payment)]


def attempt_of(tx: Tx) -> str:
    [row] = tx.all("SELECT id FROM paygate_attempt", {})
    return str(row["id"])


def fill(tx: Tx, item: str) -> None:
    items.claim(tx, item, 300)
    items.fill_claim(tx, item, claimed=300, minor=200)
    items.empty(tx, item, 50)


def erase_request(tx: Tx) -> None:
    stored_requests.insert(tx, attempt_of(tx), "{}", customer="C-1")
    customers.erase_contact(tx, "C-1")


def forget_request(tx: Tx) -> None:
    stored_requests.insert(tx, attempt_of(tx), "{}", customer="C-1")
    stored_requests.forget(tx, attempt_of(tx))


def soft_on(tx: Tx, item: str) -> list[str]:
    items.by_id(tx, item)
    return claims.soft_on(tx, item)


def flagged(tx: Tx, payment: str) -> list[str]:
    reviews.raise_(tx, payment, reviews.UNSETTLED)
    return reviews.standing(tx, payment)


def first(tx: Tx, payment: str) -> Claim:
    return claims.of_payment(tx, payment)[0]


# How something is looked at, and what changes it, by payment, its invoice, and another invoice.
CHANGES: dict[
    str, tuple[Callable[[Tx, str, str, str], Any], Callable[[Tx, str, str, str], object]]
] = {
    "the state of a claim": (
        lambda tx, payment, *_: states(tx, payment),
        lambda tx, payment, *_: claims.set_state(tx, payment, first(tx, payment), "soft"),
    ),
    "a part of a claim": (
        lambda tx, payment, *_: states(tx, payment),
        lambda tx, payment, *_: claims.split(tx, payment, first(tx, payment), 500, "released"),
    ),
    "one more claim": (
        lambda tx, payment, *_: states(tx, payment),
        lambda tx, payment, _, other: claims.insert(
            tx, payment, [Claim(7, other, 100, None, "released")]
        ),
    ),
    "a page that could pay an invoice": (
        lambda tx, _, own, __: soft_on(tx, own),
        lambda tx, payment, *_: claims.set_state(tx, payment, first(tx, payment), "soft"),
    ),
    "what is put on an invoice": (
        lambda tx, _, __, other: items.amounts_of(tx, other),
        lambda tx, _, __, other: fill(tx, other),
    ),
    "why a payment is reviewed": (
        lambda tx, payment, *_: reviews.standing(tx, payment),
        lambda tx, payment, *_: reviews.raise_(tx, payment, reviews.EXCESS),
    ),
    "that a review has ended": (
        lambda tx, payment, *_: flagged(tx, payment),
        lambda tx, payment, *_: reviews.finish(tx, payment, "seen"),
    ),
    "the zone of a customer": (
        lambda tx, *_: customers.zone_of_customer(tx, "C-1"),
        lambda tx, *_: customers.save(tx, Customer("C-1", zone="Asia/Tokyo")),
    ),
    "what is kept to send again": (
        lambda tx, *_: stored_requests.of_attempt(tx, attempt_of(tx)),
        lambda tx, *_: erase_request(tx),
    ),
    "that nothing is to be sent again": (
        lambda tx, *_: stored_requests.of_attempt(tx, attempt_of(tx)),
        lambda tx, *_: forget_request(tx),
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_known_follows_what_is_written(cashier: Cashier, name: str) -> None:
    payment = cashier.authorize("A-1", via="card", method="tok_visa", key="k")
    about = payment.id, cashier.invoice("A-1").id, cashier.invoice("A-2").id
    look, change = CHANGES[name]

    def work(tx: Tx) -> Any:
        hold_ledger(tx)
        payments.by_id(tx, payment.id)
        look(tx, *about)
        change(tx, *about)
        known = look(tx, *about)
        tx.known.clear()
        return known, look(tx, *about)

    known, read = cashier._store.write(cashier._context, work)

    assert known == read


def test_an_account_that_was_rejected_meanwhile_is_accepted_again(cashier: Cashier) -> None:
    cashier.authorize("A-1", via="card", method="tok_visa", key="k")

    def work(tx: Tx) -> bool:
        attempts.by_id(tx, attempt_of(tx))
        accounts.reject(tx, "card", "no")
        accounts.accept(tx, "card")
        return accounts.are_rejected(tx, "card")

    assert not cashier._store.write(cashier._context, work)
