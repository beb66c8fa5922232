"""What a gateway tells of stored methods by itself: renewed, or at an end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet

from paygate import Cashier, Kind, Money, PaymentMethod
from paygate.dialogue import Dialogue, at_once
from paygate.domain.method import MethodFacts, MethodNews
from paygate.domain.outcome import Approved, Outcome
from paygate.errors import MethodNotUsable
from paygate.gateway import Callback, Enrollment, Notice
from paygate.testing import FakeClock, FakeGateway


class Tells(FakeGateway):
    """A card account whose callbacks tell of the methods that it keeps, by a name of its own."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(Kind.CARD, clock=clock)
        self.notice = Notice(event_id="", type="")

    def enroll(self, enrollment: Enrollment) -> Dialogue[Outcome]:
        outcome = yield from super().enroll(enrollment)
        assert isinstance(outcome, Approved)
        assert outcome.method is not None
        return replace(outcome, method=replace(outcome.method, reference="card-1"))

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        del callback
        return at_once([self.notice])


class Shop:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.card = Tells(self.clock)
        self.cashier = Cashier.in_memory(
            gateways={"card": self.card, "other": Tells(self.clock)},
            clock=self.clock,
            token_keys=[Fernet.generate_key().decode()],
        )

    def stored(self) -> PaymentMethod:
        change = self.cashier.enroll("C-1", via="card", method="tok_visa", key="e")
        assert change.method is not None
        return change.method

    def tell(self, at: datetime | None = None, via: str = "card", **news: Any) -> None:
        self.clock.advance(seconds=1)
        about = {name: news.pop(name) for name in ("reference", "ended", "reason") if name in news}
        told = MethodNews(**{"reference": "card-1", **about}, facts=MethodFacts(**news))
        gateway = self.cashier.gateways[via].gateway
        assert isinstance(gateway, Tells)
        gateway.notice = Notice(
            event_id=f"e-{self.clock.now()}", type="card", occurred_at=at, method=told
        )
        callback = Callback(
            method="POST", path="/", headers={}, body=b"", received_at=self.clock.now()
        )
        self.cashier.receive(via, callback)
        self.cashier.apply_callbacks()

    def events(self) -> list[tuple[str, str]]:
        found = self.cashier.events(limit=1000)
        return [
            (each.type, each.data.get("reason", ""))
            for each in found
            if each.type in ("method.changed", "method.ended")
        ]

    def charge(self, method: PaymentMethod) -> None:
        total = Money.of("USD", "30.00")
        self.cashier.issue(number="A", customer="C-1", total=total, due="2026-02-01")
        self.cashier.collect("A", via="card", method=method, key="p")


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.cashier.close()


def test_a_method_that_ended_at_its_gateway_is_not_charged_any_more(shop: Shop) -> None:
    method = shop.stored()

    shop.tell(ended=True, reason="inactive")
    shop.tell(ended=True, reason="again")

    with pytest.raises(MethodNotUsable):
        shop.charge(method)
    assert shop.cashier.methods("C-1") == []
    assert shop.card.moved("USD") == Money.of("USD", "0")
    assert shop.events() == [("method.ended", "inactive")]
    assert shop.cashier.fsck() == []


def test_a_card_that_was_renewed_has_its_new_expiry_and_number(shop: Shop) -> None:
    method = shop.stored()

    shop.tell(expires_month=7, expires_year=2035, last4="99994321")

    [renewed] = shop.cashier.methods("C-1")
    assert (renewed.id, renewed.expires, renewed.last4) == (method.id, date(2035, 7, 31), "4321")
    assert (renewed.brand, renewed.is_default) == (method.brand, method.is_default)
    assert shop.events() == [("method.changed", "")]


def test_what_is_known_is_no_news(shop: Shop) -> None:
    method = shop.stored()
    assert method.expires is not None

    shop.tell(
        expires_month=method.expires.month, expires_year=method.expires.year, last4=method.last4
    )

    assert shop.events() == []


def test_an_older_word_that_comes_later_changes_nothing(shop: Shop) -> None:
    shop.stored()
    now = shop.clock.now() + timedelta(minutes=10)

    shop.tell(at=now, expires_month=7, expires_year=2036)
    shop.tell(at=now - timedelta(minutes=1), expires_month=7, expires_year=2033)

    [method] = shop.cashier.methods("C-1")
    assert method.expires == date(2036, 7, 31)
    assert shop.events() == [("method.changed", "")]


def test_the_methods_of_others_and_of_other_accounts_are_not_ours(shop: Shop) -> None:
    shop.stored()

    shop.tell(reference="card-2", ended=True)
    shop.tell(via="other", ended=True)

    assert len(shop.cashier.methods("C-1")) == 1
    assert shop.events() == []
    assert not [each for each in shop.cashier.callbacks() if each.error]


def test_what_we_forgot_ourselves_ends_once(shop: Shop) -> None:
    method = shop.stored()
    shop.cashier.forget_method(method, key="f")

    shop.tell(ended=True, reason="detached")

    assert shop.events() == []
