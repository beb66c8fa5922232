"""A shop with one Bitcoin account on a simulated node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from paygate import Cashier, Money, Payment
from paygate.domain.action import PayToAddress
from paygate.domain.receipt import Receipt
from paygate.drivers.bitcoin import BitcoinSettings, RateSource, gateway
from paygate.service.account import Timing
from paygate.testing import FakeClock
from tests.drivers.bitcoin.node import OnSimulatedNode, SimulatedNode, chain
from tests.reading import every_event

TPUB = (
    "tpubDC8msFGeGuwnKG9Upg7DM2b4DaRqg3CUZa5g8v2SRQ6K4NSkxUgd7HsL2XVWbVm39y"
    "BA4LAxysQAm397zwQSQoQgewGiYZqrA9DsP4zbQ1M"
)


AHEAD = gateway.AHEAD
BASE = chain(120)


def settings(**more: Any) -> BitcoinSettings:
    facts: dict[str, Any] = {
        "network": "regtest",
        "wallet": f"wpkh({TPUB}/0/*)",
        "url": "http://127.0.0.1:18443",
        "rates": {"USD": Decimal("50000.00")},
        "confirmations": 2,
        **more,
    }
    return BitcoinSettings(**facts)


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


def btc(satoshis: int) -> Money:
    return Money("BTC", satoshis)


@dataclass
class Shop:
    """A ledger on disk, a node, and a clock."""

    folder: Path
    node: SimulatedNode = field(default_factory=lambda: SimulatedNode(blocks=list(BASE.blocks)))
    clock: FakeClock = field(default_factory=FakeClock)
    settings: BitcoinSettings = field(default_factory=settings)
    rates: RateSource | None = None
    transactions_per_page: int | None = None
    running: list[Cashier] = field(default_factory=list[Cashier])

    def __post_init__(self) -> None:
        self.node.now = self.clock.now
        self.start()

    def start(
        self, face: type[Cashier] = Cashier, feed_pause: timedelta | None = None, **more: Any
    ) -> None:
        """Start anew, as another process: nothing is left but the ledger."""
        self.close()
        if more:
            self.settings = settings(**more)
        self.gateway = OnSimulatedNode(
            self.settings, self.node, self.rates, self.transactions_per_page
        )
        self.cashier = face.open(
            f"sqlite:///{self.folder / 'ledger.db'}",
            gateways={"bitcoin": self.gateway},
            clock=self.clock,
            timing=Timing(feed_pause=feed_pause),
        )
        self.running.append(self.cashier)

    def close(self) -> None:
        while self.running:
            self.running.pop().close()

    def ask(self, number: str, amount: str = "50.00", **more: Any) -> Payment:
        """Issue an invoice and open the Bitcoin page for it."""
        customer = more.pop("customer", "C-1")
        self.cashier.issue(number=number, customer=customer, total=usd(amount), due="2026-12-01")
        return self.cashier.collect(number, via="bitcoin", key=f"key-{number}", **more)

    def script(self, payment: Payment) -> bytes:
        """Tell the script of the address that the payer was shown."""
        for place in range(200):
            if self.gateway.wallet.address(place) == action(payment).address:
                return self.gateway.wallet.script(place)
        raise AssertionError("the address is none of the wallet")

    def look(self) -> None:
        """Read the chain and apply what it tells."""
        read = self.cashier.read_feeds()
        assert read.failed == {}
        self.cashier.apply_callbacks()

    def payment(self, payment: Payment) -> Payment:
        return self.cashier.payment(payment.id)

    def receipts(self, payment: Payment) -> list[Receipt]:
        return list(self.cashier.receipts(payment))

    def open(self, number: str) -> Money:
        return self.cashier.invoice(number).open

    def alerts(self) -> list[str]:
        return [
            str(event.data["reason"])
            for event in every_event(self.cashier)
            if event.type == "payment.alert"
        ]

    def later(self, **delta: float) -> None:
        self.clock.advance(timedelta(**delta))


def action(payment: Payment) -> PayToAddress:
    assert isinstance(payment.action, PayToAddress)
    return payment.action


@pytest.fixture(autouse=True)
def _few_addresses_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test derive some scripts, and not a thousand."""
    monkeypatch.setattr(gateway, "AHEAD", 200)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    assert shop.cashier.fsck() == []
    shop.close()
