"""Callbacks that are refused: somebody hears of it, and nobody can make the ledger grow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from paygate import Cashier, Money
from paygate.dialogue import Dialogue
from paygate.domain.callback import Refusal, RefusedCallbacks
from paygate.errors import NotAuthentic, StoreFull, Unsupported
from paygate.gateway import Callback, CallbackStyle, Notice
from paygate.ledger import refused
from paygate.ledger.sqlite import SqliteStore
from paygate.service.flow import Step, Write
from paygate.service.gathering import PAUSE, WRITES_AT_ONCE
from paygate.testing import FakeClock, FakeGateway

CARD = "4242424242424242"
SECRET = "whsec_of_the_account"


class Shop:
    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.card = FakeGateway(clock=self.clock)
        self.mute = FakeGateway("e_check", clock=self.clock, callbacks=CallbackStyle.NONE)
        self.url = f"sqlite:///{folder / 'ledger.db'}"
        self.cashier = self.open()

    def open(self, face: type[Cashier] = Cashier) -> Cashier:
        gateways = {"card": self.card, "mute": self.mute}
        return face.open(self.url, gateways=gateways, clock=self.clock)

    def forged(self, **event: object) -> Callback:
        return Callback(
            method="POST",
            path="/callbacks/card",
            headers={"fake-signature": "t=2026-01-01T00:00:00+00:00,v1=00"},
            body=json.dumps(event).encode(),
            received_at=self.clock.now(),
        )

    def refused(self, callback: Callback, via: str = "card") -> None:
        with pytest.raises((NotAuthentic, Unsupported)):
            self.cashier.receive(via, callback)

    def counted(self) -> list[RefusedCallbacks]:
        with self.open() as other:
            return other._store.read(other._context, refused.counted)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    shop.cashier.close()
    shop.card.processor.close()


def warnings(caplog: pytest.LogCaptureFixture) -> list[Any]:
    return [each for each in caplog.records if each.__dict__.get("event") == "callback.refused"]


def test_a_wrong_signature_is_counted_and_logged_with_the_name_of_its_event(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.refused(shop.forged(id="evt_1Nq", type="payment.succeeded", number=CARD, secret=SECRET))

    [one] = shop.counted()
    assert (one.account, one.why, one.times) == ("card", Refusal.SIGNATURE, 1)
    assert (one.type, one.event_id) == ("payment.succeeded", "evt_1Nq")
    assert one.first_at == one.last_at == shop.clock.now()
    [line] = warnings(caplog)
    assert (line.levelname, line.account, line.tenant) == ("WARNING", "card", "main")
    assert all(text in line.getMessage() for text in ("signature", "payment.succeeded", "evt_1Nq"))
    assert CARD not in caplog.text
    assert SECRET not in caplog.text
    assert shop.cashier.callbacks() == []


@pytest.mark.parametrize(
    "event",
    [
        {"id": CARD, "type": f"card {CARD}"},
        {"id": f"evt-{CARD}", "type": "a" * 200},
        {"id": ["evt_1"], "type": {"a": 1}},
        {"id": "evt 1\r\nfake line", "type": "\x1b[2J"},
    ],
)
def test_what_does_not_look_like_a_name_is_not_repeated(
    event: dict[str, object], shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.refused(shop.forged(**event))

    [one] = shop.counted()
    assert (one.type, one.event_id) == ("", "")
    assert CARD not in caplog.text


@pytest.mark.parametrize("body", [b"", b"\xff", b"[" * 50_000, b"{}", b"1", b'"x"', b" " * 99_999])
def test_a_body_that_is_no_event_is_counted(body: bytes, shop: Shop) -> None:
    shop.refused(replace(shop.forged(), body=body))

    assert [each.times for each in shop.counted()] == [1]


def test_each_reason_is_told_apart(shop: Shop) -> None:
    cashier = shop.cashier
    total = Money.of("USD", "84.00")
    cashier.issue(number="INV-1", customer="K-1", total=total, due="2031-03-01")
    cashier.collect("INV-1", via="card", method="tok_pending", key="k")
    [real] = shop.card.callbacks()
    shop.clock.advance(days=2)

    shop.refused(replace(real, received_at=shop.clock.now()))
    shop.refused(replace(shop.forged(), headers={}))
    shop.refused(shop.forged(), via="mute")

    assert {(each.account, each.why) for each in shop.counted()} == {
        ("card", Refusal.TOO_OLD),
        ("card", Refusal.UNSIGNED),
        ("mute", Refusal.NO_SECRET),
    }


def test_a_driver_that_gives_no_reason_is_counted_as_other(shop: Shop) -> None:
    class Curt(FakeGateway):
        def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
            raise NotAuthentic(f"no: {callback.body!r}", why="because")

    shop.card = Curt(clock=shop.clock)
    shop.cashier.close()
    shop.cashier = shop.open()

    shop.refused(shop.forged())

    assert [each.why for each in shop.counted()] == [Refusal.OTHER]


class Counting(Cashier):
    writes = 0

    def _do(self, step: Step) -> Any:
        self.writes += isinstance(step, Write)
        return super()._do(step)


def test_a_flood_is_counted_and_makes_neither_ledger_nor_log_grow(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.cashier.close()
    shop.cashier = cashier = shop.open(Counting)
    assert isinstance(cashier, Counting)
    flood = 3_000

    for number in range(flood):
        shop.clock.advance(timedelta(milliseconds=10))
        shop.refused(shop.forged(id=f"evt_{number}", type=f"made.up.{number}"))
    lines = len(warnings(caplog))
    cashier.close()

    [one] = shop.counted()
    assert (one.times, one.event_id) == (flood, f"evt_{flood - 1}")
    assert lines <= cashier.writes <= WRITES_AT_ONCE + timedelta(seconds=30) / PAUSE + 1


def test_what_is_gathered_is_written_down_by_recover(shop: Shop) -> None:
    for _ in range(WRITES_AT_ONCE + 5):
        shop.refused(shop.forged())
    before = [each.times for each in shop.counted()]

    shop.cashier.recover()

    assert before == [WRITES_AT_ONCE]
    assert [each.times for each in shop.counted()] == [WRITES_AT_ONCE + 5]


def test_it_is_refused_all_the_same_if_the_ledger_cannot_be_written(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreFull("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteStore, "write", full)
        shop.refused(shop.forged())
    shop.refused(shop.forged())

    assert [each.times for each in shop.counted()] == [2]
