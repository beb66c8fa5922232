"""Five hundred merchants in one process, each with a card account and a wallet of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from paygate import AsyncCashier, Cashier, Merchants, Money, PaymentStatus, Timing
from paygate.domain.action import PayToAddress
from paygate.drivers.bitcoin import gateway, scripts
from paygate.testing import FakeClock, FakeProcessor
from paygate.testing.fake_server import FakeServer
from tests.support.simulated_bitcoin import SimulatedNode, serving

MERCHANTS = 500
CACHED = 50
TENANTS = [f"m-{number}" for number in range(MERCHANTS)]
EACH = {tenant: number for number, tenant in enumerate(TENANTS)}


class CountingServer(FakeServer):
    """A fake processor that counts the connections which are open to it."""

    def __init__(self) -> None:
        super().__init__(FakeProcessor())
        self._counting = threading.Lock()
        self.opened = self.open = self.most = 0

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._counting:
            self.opened += 1
            self.open += 1
            self.most = max(self.most, self.open)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._counting:
                self.open -= 1


@contextmanager
def counting() -> Iterator[CountingServer]:
    server = CountingServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def card_of(server: CountingServer, tenant: str) -> dict[str, Any]:
    return {
        "driver": "fake-loopback",
        "url": server.url,
        "merchant_account": f"fake-{tenant}",
        "signing_key": f"signing-key-of-merchant-{tenant}",
    }


def wallet_of(tenant: str) -> str:
    """Return the descriptor of a wallet that only this merchant has."""
    wally = pytest.importorskip("wallycore")
    seed = f"the seed of merchant {tenant}".encode().ljust(64, b".")
    master = wally.bip32_key_from_seed(seed, wally.BIP32_VER_TEST_PRIVATE, 0)
    hard = wally.BIP32_INITIAL_HARDENED_CHILD
    path = [84 + hard, 1 + hard, hard]
    account = wally.bip32_key_from_parent_path(master, path, wally.BIP32_FLAG_KEY_PRIVATE)
    return f"wpkh({wally.bip32_key_to_base58(account, wally.BIP32_FLAG_KEY_PUBLIC)}/0/*)"


def bitcoin_of(node: SimulatedNode, tenant: str) -> dict[str, Any]:
    return {
        "driver": "bitcoin",
        "network": "regtest",
        "wallet": wallet_of(tenant),
        "url": node.url,
        "user": node.user,
        "password": node.password,
        "rates": {"USD": "50000.00"},
        "confirmations": 1,
    }


def cents(tenant: str, base: str) -> Money:
    """Return an amount that no other merchant is owed."""
    return Money.of("USD", base) + Money("USD", EACH[tenant])


@dataclass
class Owed:
    """What the merchants are owed in bitcoin."""

    addresses: dict[str, str] = field(default_factory=dict[str, str])
    satoshis: dict[str, int] = field(default_factory=dict[str, int])


def read_the_chain(cashier: Cashier, tenants: Sequence[str]) -> None:
    """Read the chain for these merchants, and apply what it says."""
    for tenant in tenants:
        shop = cashier.for_tenant(tenant)
        assert shop.read_feeds().failed == {}
        shop.apply_callbacks()


def test_each_of_five_hundred_is_paid_on_its_own_accounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A new wallet derives a thousand scripts, which would take most of the time of the test.
    monkeypatch.setattr(gateway, "AHEAD", 5)
    monkeypatch.setattr(scripts, "PER_ROW", 10)
    clock = FakeClock()
    node = SimulatedNode(now=clock.now)
    given: dict[str, dict[str, Any]] = {}
    with counting() as server, serving(node), ExitStack() as stack:
        cashier = Cashier.open(
            f"sqlite:///{tmp_path}/ledger.db",
            merchants=Merchants(given.get, cached=CACHED),
            clock=clock,
            timing=Timing(feed_pause=None),
        )
        stack.callback(cashier.close)
        given |= {
            tenant: {"card": card_of(server, tenant), "coins": bitcoin_of(node, tenant)}
            for tenant in TENANTS
        }
        owed = Owed()
        for tenant in TENANTS:
            shop = cashier.for_tenant(tenant)
            for number, total in (("1", cents(tenant, "10.00")), ("2", cents(tenant, "50.00"))):
                shop.issue(number=number, customer="C", total=total, due="2026-12-01")
            paid = shop.collect("1", via="card", method="tok_visa", key="1")
            asked = shop.collect("2", via="coins", key="2")
            assert paid.status is PaymentStatus.SUCCEEDED
            assert isinstance(asked.action, PayToAddress)
            owed.addresses[tenant] = asked.action.address
            owed.satoshis[tenant] = asked.action.amount.minor
            assert len(cashier._roster or ()) <= CACHED

        assert len(set(owed.addresses.values())) == MERCHANTS
        paying = TENANTS[::10]  # the payers of the others take their time
        read_the_chain(cashier, paying)
        for tenant in paying:
            node.pay(owed.addresses[tenant], owed.satoshis[tenant])
        for _ in range(2):
            node.mine()
        read_the_chain(cashier, paying)

        for tenant in TENANTS:
            expected = {("card", cents(tenant, "10.00"))}
            if tenant in paying:
                expected.add(("coins", cents(tenant, "50.00")))
            receipts = cashier.for_tenant(tenant).receipt_lines()
            assert {(each.receipt.account, each.receipt.amount) for each in receipts} == expected
        # The server learns late that a connection was closed.
        assert server.most < 2 * CACHED
        assert server.opened >= MERCHANTS
        until(lambda: server.open <= CACHED)
        cashier.close()
        until(lambda: server.open == 0)


async def test_five_hundred_at_once_are_paid_and_then_most_connections_close() -> None:
    with counting() as server:
        given = {tenant: {"card": card_of(server, tenant)} for tenant in TENANTS}
        merchants = Merchants(given.get, cached=CACHED, timeout_s=None)
        async with AsyncCashier.in_memory(merchants=merchants) as cashier:

            async def pay(tenant: str) -> PaymentStatus:
                shop = cashier.for_tenant(tenant)
                total = cents(tenant, "10.00")
                await shop.issue(number="1", customer="C", total=total, due="2026-12-01")
                paid = await shop.collect("1", via="card", method="tok_visa", key="1")
                assert paid.received == total
                return paid.status

            statuses = await asyncio.gather(*map(pay, TENANTS))

            assert set(statuses) == {PaymentStatus.SUCCEEDED}
            assert len(cashier._roster or ()) <= CACHED
            await asyncio.to_thread(until, lambda: server.open <= CACHED)
            assert server.opened == MERCHANTS
        await asyncio.to_thread(until, lambda: server.open == 0)


def test_connections_are_never_closed_during_a_request() -> None:
    with counting() as server:
        server.late_s = 60.0
        given = {tenant: {"card": card_of(server, tenant)} for tenant in TENANTS[:6]}
        with Cashier.in_memory(merchants=Merchants(given.get, cached=1)) as cashier:
            paid: list[PaymentStatus] = []

            def pay(tenant: str, token: str) -> None:
                shop = cashier.for_tenant(tenant)
                total = cents(tenant, "10.00")
                shop.issue(number="1", customer="C", total=total, due="2026-12-01")
                paid.append(shop.collect("1", via="card", method=token, key="1").status)

            waits = threading.Thread(target=pay, args=("m-0", "tok_response_late"))
            waits.start()
            until(lambda: server.open == 1)
            for tenant in TENANTS[1:6]:
                pay(tenant, "tok_visa")
            # The credentials change, too, while the request of the first merchant is under way.
            given["m-0"] = {"card": card_of(server, "m-0") | {"signing_key": "another" * 4}}
            cashier.for_tenant("m-0").accounts()
            assert paid == [PaymentStatus.SUCCEEDED] * 5
            server.stopping.set()
            waits.join(30)

            assert paid == [PaymentStatus.SUCCEEDED] * 6
            until(lambda: server.open == 0)
            assert len(cashier._roster or ()) == 1


def until(true: Any, patience_s: float = 30.0) -> None:
    """Wait until *true* returns True."""
    waiting = threading.Event()
    for _ in range(int(patience_s * 100)):
        if true():
            return
        waiting.wait(0.01)
    raise AssertionError("it did not become true")
