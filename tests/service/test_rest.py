"""The rest of a payment in parts, at gateways that say it, that do not, and that are wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from paygate import Cashier, Money, Payment
from paygate.dialogue import Dialogue, at_once
from paygate.domain.action import PayToAddress
from paygate.domain.kind import Kind
from paygate.domain.movement import Sighting
from paygate.domain.outcome import ActionRequired, Outcome, Pending
from paygate.errors import BadResponse, GatewayNotFound, NotPayable
from paygate.gateway import AddressPer, Charge, FeedPage, Limits, Notice, Remainder, Traits
from paygate.testing import FakeClock, FakeGateway

ASKED = 100_000
PART = 60_000


def btc(satoshis: int) -> Money:
    return Money("BTC", satoshis)


class Places(FakeGateway):
    """An account that gives each payer a numbered place, and has seen a part come there."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__("bitcoin", clock=clock)

    @property
    def traits(self) -> Traits:
        fake = super().traits
        rail = replace(
            fake.rails[Kind.BITCOIN],
            address_per=AddressPer.INVOICE,
            variable_amount=True,
            limits={"BTC": Limits(1000, None)},
        )
        return replace(fake, rails={Kind.BITCOIN: rail})

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        assert charge.asked_at is not None
        place = f"address-{charge.address_index}"
        action = PayToAddress(
            address=place, amount=btc(ASKED), uri="", rate="50000", rate_source="us"
        )
        until = charge.asked_at + timedelta(minutes=15)
        return at_once(ActionRequired(action=action, reference=place, expires_at=until))

    def feed(self, cursor: str) -> Dialogue[FeedPage]:
        seen = Sighting(name="t:0", quantity=btc(PART), confirmations=0, needed=2)
        part = Notice(
            event_id="seen",
            type="seen",
            reference="address-0",
            address_index=0,
            answer=Pending(reference="address-0", amount=btc(PART)),
            sighting=seen,
        )
        return at_once(FeedPage(notices=() if cursor else (part,), cursor="1", more=False))


class Asking(Places):
    """It says how to pay the rest, as *answer* makes it."""

    def __init__(self, clock: FakeClock, answer: Callable[[Remainder], Any]) -> None:
        super().__init__(clock)
        self.answer_with = answer
        self.heard: list[Remainder] = []

    def ask_for_rest(self, remainder: Remainder) -> Dialogue[PayToAddress]:
        self.heard.append(remainder)
        return at_once(self.answer_with(remainder))


def plain(remainder: Remainder) -> PayToAddress:
    return PayToAddress(address=remainder.reference, amount=remainder.amount, uri="rest")


def broken(_: Remainder) -> Any:
    raise KeyError("a bug of the driver")


def nothing(_: Remainder) -> Any:
    return None


class Shop:
    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.open = partial(Cashier.open, f"sqlite:///{folder / 'ledger.db'}", clock=self.clock)

    def partly_paid(self, gateway: Places) -> tuple[Cashier, Payment]:
        cashier = self.open(gateways={"coins": gateway})
        cashier.issue(
            number="N-1", customer="K-1", total=Money.of("CAD", "50.00"), due="2031-03-01"
        )
        payment = cashier.collect("N-1", via="coins", key="a")
        cashier.read_feeds()
        cashier.apply_callbacks()
        assert cashier.payment(payment.id).seen == Money.of("CAD", "30.00")
        return cashier, payment


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_the_gateway_is_asked_for_what_is_left_at_the_quote(shop: Shop) -> None:
    gateway = Asking(shop.clock, plain)
    cashier, payment = shop.partly_paid(gateway)

    with cashier:
        rest = cashier.action_of(payment)

    assert rest == PayToAddress(address="address-0", amount=btc(ASKED - PART), uri="rest")
    assert gateway.heard == [
        Remainder(
            reference="address-0",
            address_index=0,
            amount=btc(40_000),
            enough=btc(40_000),
            rate="50000",
            rate_source="us",
            invoices=("N-1",),
        )
    ]


def test_a_gateway_that_cannot_ask_for_a_rest_says_so(shop: Shop) -> None:
    cashier, payment = shop.partly_paid(Places(shop.clock))

    with cashier, pytest.raises(NotPayable, match="cannot do that"):
        cashier.action_of(payment)


@pytest.mark.parametrize("answer", [broken, nothing])
def test_what_no_driver_may_say_is_a_fault_of_the_driver(
    shop: Shop, answer: Callable[[Remainder], Any]
) -> None:
    cashier, payment = shop.partly_paid(Asking(shop.clock, answer))

    with cashier, pytest.raises(BadResponse, match="did not return how to pay the rest"):
        cashier.action_of(payment)


def test_a_process_without_the_account_cannot_ask(shop: Shop) -> None:
    cashier, payment = shop.partly_paid(Asking(shop.clock, plain))
    cashier.close()

    with shop.open(gateways={"other": FakeGateway()}) as other, pytest.raises(GatewayNotFound):
        other.action_of(payment.id)
