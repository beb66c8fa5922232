"""Bitcoin against the simulated node, over HTTP on loopback.

It is a stand-in of ours: it shows that the driver and the core agree with what is known of a
node, and not what a node does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from paygate import Cashier, Money, Payment, PaymentStatus, PayToAddress
from paygate.drivers.bitcoin import BitcoinSettings
from paygate.testing import FakeClock
from tests.support.simulated_bitcoin import SimulatedNode, serving
from tests.support.simulated_bitcoin.addresses import script_of

# The account key of BIP 84's test vector.
XPUB = (
    "xpub6CatWdiZiodmUeTDp8LT5or8nmbKNcuyvz7WyksVFkKB4RHwCD3XyuvPEbvqAQY3rAPshWcMLoP2fMFMKHPJ4ZeZX"
    "YVUhLv1VMrjPC7PW6V"
)
TPUB = (
    "tpubDCxX2sYFS5bDkSe5GKKYHjBW7tgyN1R3UchpLJvdbf54ohxeGRtd8MbDUe1cguVHe4vnK68DsuD5MXjxi9EXx16rb"
    "9EnNsaF5KT99CinaJz"
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def node(clock: FakeClock) -> Iterator[SimulatedNode]:
    node = SimulatedNode(now=clock.now)
    with serving(node):
        yield node


@pytest.fixture
def shop(node: SimulatedNode, clock: FakeClock, tmp_path: Path) -> Iterator[Cashier]:
    account = {
        "driver": "bitcoin",
        "network": "regtest",
        "wallet": f"wpkh({TPUB}/0/*)",
        "url": node.url,
        "user": node.user,
        "password": node.password,
        "rates": {"USD": "50000"},
        "confirmations": 2,
    }
    with Cashier.open(
        f"sqlite:///{tmp_path / 'ledger.db'}", gateways={"bitcoin": account}, clock=clock
    ) as shop:
        yield shop
        assert shop.fsck() == []


@pytest.fixture
def payment(shop: Cashier) -> Payment:
    """Return a payment of 50.00 USD, which is 100,000 satoshi."""
    shop.issue(number="INV-1", customer="C-1", total=usd("50.00"), due="2026-12-01")
    payment = shop.collect("INV-1", via="bitcoin", key="page-1")
    look(shop)
    return payment


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


def address_of(payment: Payment) -> str:
    assert isinstance(payment.action, PayToAddress)
    return payment.action.address


def look(shop: Cashier) -> None:
    assert shop.read_feeds().failed == {}
    shop.apply_callbacks()


@pytest.mark.parametrize(
    ("network", "key"),
    [("main", XPUB), ("test", TPUB), ("signet", TPUB), ("regtest", TPUB)],
)
@pytest.mark.parametrize(
    "form", ["wpkh(KEY/0/*)", "tr(KEY/0/*)", "sh(wpkh(KEY/0/*))", "pkh(KEY/0/*)"]
)
def test_the_node_reads_every_address_of_a_wallet(network: str, key: str, form: str) -> None:
    wallet = BitcoinSettings.model_validate(
        {
            "network": network,
            "wallet": form.replace("KEY", key),
            "url": "http://127.0.0.1:1",
            "rates": {"USD": "1"},
        }
    ).read_wallet()

    for number in range(3):
        assert script_of(wallet.address(number), network) == wallet.script(number)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "bcrt1",
        "bcrt1qcr8te4kr609gcawutmrza0j4xv80jy8zeqchgq",
        "bcrt1Qcr8te4kr609gcawutmrza0j4xv80jy8zeqchgx",
        "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu",
        "34nTwbEvK9wPMrULh7CmPL7DAbABkGpWgZ",
        "0OIl",
    ],
)
def test_the_node_pays_to_no_address_of_another_network_and_to_none_with_a_slip(
    address: str, node: SimulatedNode
) -> None:
    with pytest.raises(ValueError, match="not an address of this network"):
        node.pay(address, 1000)

    assert node.mempool == {}


def test_a_payment_in_two_parts_is_seen_and_booked(
    shop: Cashier, payment: Payment, node: SimulatedNode
) -> None:
    node.pay(address_of(payment), 60_000)
    look(shop)
    assert shop.payment(payment.id).seen == usd("30.00")
    rest = shop.action_of(payment)
    assert isinstance(rest, PayToAddress)

    node.pay(rest.address, rest.amount.minor)
    node.mine(2)
    look(shop)

    assert [each.amount for each in shop.receipts(payment)] == [usd("30.00"), usd("20.00")]
    assert shop.invoice("INV-1").open == usd("0.00")


def test_a_transaction_that_replaces_another_takes_its_place(
    shop: Cashier, payment: Payment, node: SimulatedNode
) -> None:
    first = node.pay(address_of(payment), 100_000)
    look(shop)

    node.pay(address_of(payment), 40_000, replaces=first)
    look(shop)

    assert shop.payment(payment.id).seen == usd("20.00")


def test_a_transaction_that_the_node_forgets_does_not_come(
    shop: Cashier, payment: Payment, node: SimulatedNode
) -> None:
    node.drop(node.pay(address_of(payment), 100_000))
    node.drop(node.pay(address_of(payment), 100_000))
    seen = node.pay(address_of(payment), 100_000)
    look(shop)
    node.drop(seen)

    for _ in range(7):
        node.mine()
        look(shop)

    assert shop.payment(payment.id).status is PaymentStatus.DECLINED


def test_a_chain_that_changes_keeps_what_is_not_spent_otherwise(
    shop: Cashier, payment: Payment, node: SimulatedNode
) -> None:
    node.pay(address_of(payment), 60_000)
    node.mine()
    gone = node.pay(address_of(payment), 40_000)
    node.mine(2)
    look(shop)
    assert shop.invoice("INV-1").open == usd("0.00")

    node.reorganize(3, without=[gone])
    look(shop)

    assert node.height == 4
    assert shop.payment(payment.id).returned == usd("20.00")
    assert shop.invoice("INV-1").open == usd("20.00")


@pytest.mark.parametrize("depth", [0, -1, 1])
def test_the_first_block_stays(depth: int, node: SimulatedNode) -> None:
    with pytest.raises(ValueError, match="depth"):
        node.reorganize(depth)

    assert node.height == 0


def test_a_wrong_password_is_refused(node: SimulatedNode) -> None:
    account = {
        "driver": "bitcoin",
        "network": "regtest",
        "wallet": f"wpkh({TPUB}/0/*)",
        "url": node.url,
        "user": node.user,
        "password": "wrong",
        "rates": {"USD": "50000"},
    }
    with Cashier.in_memory(gateways={"bitcoin": account}) as shop:
        failed = shop.read_feeds().failed

    assert "user and password" in failed["bitcoin"]


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("sendtoaddress", ["bcrt1qcr8te4kr609gcawutmrza0j4xv80jy8zeqchgx", 1], -32601),
        ("getblock", ["00" * 32, False], -5),
        ("getblockhash", [1], -8),
        ("getblockhash", [-1], -8),
        ("getrawtransaction", ["00" * 32], -5),
    ],
)
def test_what_the_node_does_not_have_it_refuses_as_core_does(
    node: SimulatedNode, method: str, params: list[object], code: int
) -> None:
    asked = Request(  # noqa: S310  (loopback)
        node.url,
        data=json.dumps({"id": 7, "method": method, "params": params}).encode(),
        headers={"Authorization": "Basic c2ltdWxhdGVkOm9mLWEtc2ltdWxhdGVkLW5vZGU="},
    )

    with pytest.raises(HTTPError) as refused:
        urlopen(asked)  # noqa: S310

    answer = json.load(refused.value)
    assert (answer["error"]["code"], answer["id"], answer["result"]) == (code, 7, None)
