"""
Bitcoin at bcoin, an independent full node on a test chain.

It validates blocks and transactions by itself, and speaks most of Core's RPC. It
is not Core: it knows no Taproot, does not replace transactions, and forgets
blocks that are invalidated. What we ask of it, Core answers the same.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import wallycore

from paygate import Cashier, Money, Payment, PaymentStatus
from paygate.domain.action import PayToAddress
from paygate.domain.movement import MovementKind
from paygate.drivers.bitcoin import Bitcoin, BitcoinSettings
from tests.contract.bcoin import Node, double
from tests.contract.test_qr import read
from tests.drivers.bitcoin.conftest import TPUB, usd

SATOSHIS = 100_000


class Till:
    """A shop at the node, over HTTP."""

    def __init__(self, node: Node, folder: Path, **more: Any) -> None:
        settings = {
            "network": "regtest",
            "wallet": f"wpkh({TPUB}/0/*)",
            "url": node.url,
            "user": "x",
            "password": "test",
            "rates": {"USD": Decimal(50000)},
            "confirmations": 2,
            **more,
        }
        self.node = node
        self.gateway = Bitcoin(BitcoinSettings(**settings))
        self.cashier = Cashier.open(
            f"sqlite:///{folder / 'ledger.db'}", gateways={"bitcoin": self.gateway}
        )
        self.look()

    def ask(self, number: str) -> tuple[Payment, bytes]:
        self.cashier.issue(
            number=number, customer="C-1", total=Money.of("USD", 50), due="2026-12-01"
        )
        payment = self.cashier.collect(number, via="bitcoin", key=number)
        assert isinstance(payment.action, PayToAddress)
        wallet = self.gateway.wallet
        [place] = [n for n in range(50) if wallet.address(n) == payment.action.address]
        assert payment.action.amount == Money("BTC", SATOSHIS)
        return payment, wallet.script(place)

    def look(self) -> None:
        read = self.cashier.read_feeds()
        assert read.failed == {}
        self.cashier.apply_callbacks()

    def status(self, payment: Payment) -> PaymentStatus:
        return self.cashier.payment(payment.id).status

    def open(self, number: str) -> Money:
        return self.cashier.invoice(number).open


@pytest.fixture
def till(bcoin: Node, tmp_path: Path) -> Iterator[Till]:
    till = Till(bcoin, tmp_path)
    yield till
    assert till.cashier.fsck() == []
    till.cashier.close()


def test_the_node_is_accepted_and_another_network_is_not(bcoin: Node, till: Till) -> None:
    facts = till.cashier.check("bitcoin")

    assert f"block {bcoin.rpc('getblockcount')}" in facts.name
    assert till.gateway.wallet.address(0) in facts.name


def test_a_payment_is_seen_confirmed_and_booked_once(bcoin: Node, till: Till) -> None:
    payment, script = till.ask("INV-1")
    id_ = bcoin.send(bcoin.pay(bcoin.coin(), (script, SATOSHIS)))
    till.look()
    assert till.status(payment) is PaymentStatus.PROCESSING

    bcoin.mine()
    till.look()
    assert till.status(payment) is PaymentStatus.PROCESSING
    bcoin.mine()
    till.look()
    bcoin.mine()
    till.look()

    assert till.status(payment) is PaymentStatus.SUCCEEDED
    [receipt] = till.cashier.receipts(payment)
    assert (receipt.movement_id, receipt.amount) == (f"{id_}:0", usd("50.00"))
    assert till.open("INV-1") == usd("0.00")


def test_outputs_and_transactions_add_up(bcoin: Node, till: Till) -> None:
    _, script = till.ask("INV-1")
    bcoin.send(bcoin.pay(bcoin.coin(), (script, 20_000), (script, 30_000)))
    bcoin.send(bcoin.pay(bcoin.coin(), (script, 70_000)))
    bcoin.mine(2)
    till.look()

    assert till.open("INV-1") == usd("0.00")
    assert [lot.amount for lot in till.cashier.credits("C-1")] == [usd("10.00")]


def test_a_double_spend_that_a_block_has_fails_the_payment(bcoin: Node, till: Till) -> None:
    payment, script = till.ask("INV-1")
    coin = bcoin.coin()
    id_ = bcoin.send(bcoin.pay(coin, (script, SATOSHIS)))
    till.look()
    assert till.status(payment) is PaymentStatus.PROCESSING

    bcoin.branch(bcoin.tip, (bcoin.pay(coin),))
    assert id_ not in bcoin.rpc("getrawmempool")
    till.look()

    assert till.status(payment) is PaymentStatus.DECLINED
    assert till.open("INV-1") == usd("50.00")
    assert till.cashier.collect("INV-1", via="bitcoin", key="again").action is not None


def test_a_chain_that_changes_two_deep_takes_the_money_back_and_gives_it_again(
    bcoin: Node, till: Till
) -> None:
    payment, script = till.ask("INV-1")
    coin, fork = bcoin.coin(), bcoin.tip
    bcoin.send(bcoin.pay(coin, (script, SATOSHIS)))
    ours = bcoin.mine(2)
    till.look()
    assert till.open("INV-1") == usd("0.00")
    saved = [bcoin.raw_block(name) for name in ours]

    theirs = bcoin.branch(fork, (bcoin.pay(coin),), (), ())
    assert bcoin.tip == theirs[-1]
    till.look()
    assert till.open("INV-1") == usd("50.00")
    assert till.cashier.payment(payment.id).returned == usd("50.00")

    # It forgets the blocks that are declared invalid; they must be given to it again.
    bcoin.rpc("invalidateblock", theirs[0])
    bcoin.submit(*(raw for raw in saved if _missing(bcoin, raw)))
    bcoin.branch(ours[-1], (), ())
    till.look()
    assert till.open("INV-1") == usd("0.00")
    assert [(r.kind, r.movement_id[64:]) for r in till.cashier.receipts(payment)] == [
        (MovementKind.CHARGE, ":0"),
        (MovementKind.RETURN, ":0:gone"),
        (MovementKind.CHARGE, ":0#2"),
    ]


def _missing(node: Node, raw: bytes) -> bool:
    tips = {tip["hash"] for tip in node.rpc("getchaintips")}
    name = double(raw[:80])[::-1].hex()
    try:
        confirmed = node.rpc("getblockheader", name)["hash"] == name
    except AssertionError:
        confirmed = False
    return name not in tips and not confirmed


def test_a_restart_of_the_node_loses_nothing(bcoin: Node, till: Till) -> None:
    payment, script = till.ask("INV-1")
    bcoin.send(bcoin.pay(bcoin.coin(), (script, SATOSHIS)))
    bcoin.mine()
    till.look()

    bcoin.stop()
    assert "bitcoin" in till.cashier.read_feeds().failed
    bcoin.start()
    bcoin.mine()
    till.look()

    assert till.status(payment) is PaymentStatus.SUCCEEDED
    assert len(list(till.cashier.receipts(payment))) == 1


def test_pages_of_three_blocks_tell_what_one_page_tells(
    bcoin: Node, till: Till, tmp_path: Path
) -> None:
    _, script = till.ask("INV-1")
    bcoin.send(bcoin.pay(bcoin.coin(), (script, SATOSHIS)))
    bcoin.mine(20)

    again = Till(bcoin, tmp_path, blocks_per_page=3)
    assert again.open("INV-1") == usd("0.00")
    again.cashier.close()


@pytest.mark.parametrize("form", ["tr", "sh(wpkh)", "pkh"])
def test_every_form_of_address_is_found(bcoin: Node, tmp_path: Path, form: str) -> None:
    till = Till(bcoin, tmp_path, wallet=TPUB, form=form)
    _, script = till.ask("INV-1")
    raw = bcoin.pay(bcoin.coin(), (script, SATOSHIS))
    bcoin.branch(bcoin.tip, (raw,), ())
    till.look()

    assert till.open("INV-1") == usd("0.00")
    till.cashier.close()


def test_the_example_is_paid_by_its_qr_code(bcoin: Node, tmp_path: Path) -> None:
    example = Path(__file__).parent.parent.parent / "examples" / "bitcoin.py"
    with subprocess.Popen(
        [sys.executable, str(example)],
        cwd=tmp_path,
        env={
            "BITCOIN_URL": bcoin.url,
            "BITCOIN_USER": "x",
            "BITCOIN_PASSWORD": "test",
            # Its first addresses are those of no other test: money there would be nobody's.
            "BITCOIN_WALLET": f"tr({TPUB}/7/*)",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as example_run:
        assert example_run.stdout is not None
        line = ""
        while not line.startswith("pay: "):
            line = example_run.stdout.readline()
            assert line, example_run.communicate()
        [uri] = read((tmp_path / "invoice.png").read_bytes())
        assert line == f"pay: {uri}\n"
        parts = urlsplit(uri)
        satoshis = int(Decimal(parse_qs(parts.query)["amount"][0]).scaleb(8))
        script = wallycore.addr_segwit_to_bytes(parts.path, "bcrt", 0)
        # Its mempool takes no output of Taproot, so a block brings the payment.
        bcoin.branch(bcoin.tip, (bcoin.pay(bcoin.coin(), (script, satoshis)),), ())
        out, err = example_run.communicate(timeout=60)

    assert (example_run.returncode, err) == (0, "")
    assert "succeeded: received 30.00 USD, 0.00 USD is open\nthe books are sound" in out
