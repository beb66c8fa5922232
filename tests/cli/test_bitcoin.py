"""The commands for Bitcoin accounts, at a simulated node."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from paygate import Cashier, Money, PaymentStatus, PayToAddress
from paygate.slips import qr_text
from tests.cli.conftest import Run
from tests.drivers.bitcoin.conftest import settings
from tests.drivers.bitcoin.node import DECOY, OnSimulatedNode, SimulatedNode, chain, pay

SHOP = """
from paygate import Cashier
from tests.cli import test_bitcoin

def cashier():
    return test_bitcoin.open_shop()
"""
NODE: list[SimulatedNode] = []


def gateway() -> OnSimulatedNode:
    return OnSimulatedNode(settings(blocks_per_page=10), NODE[0])


def open_shop() -> Cashier:
    return Cashier.open("sqlite:///paygate.db", gateways={"coins": gateway()})


@pytest.fixture(autouse=True)
def _shop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "bitcoin_shop.py").write_text(SHOP)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "bitcoin_shop", raising=False)
    monkeypatch.setitem(sys.modules, "tests.cli.test_bitcoin", sys.modules[__name__])
    NODE[:] = [chain(150)]


def test_check_shows_what_the_merchant_compares(run: Run) -> None:
    done = run("bitcoin", "check", "--app", "bitcoin_shop:cashier", "--json")

    [account] = done.json["accounts"]
    wallet = gateway().wallet
    assert done.code == 0
    assert account["first_addresses"] == [wallet.address(n) for n in range(3)]
    assert account["descriptor"] == wallet.described
    assert account["node"] == "regtest, block 149"
    assert account["unpaid_at_the_end"] == 0
    shown = run("bitcoin", "check", "--app", "bitcoin_shop:cashier")
    assert wallet.address(2) in shown.out


def test_check_shows_what_is_copied_whole_in_a_narrow_terminal(run: Run) -> None:
    done = run("bitcoin", "check", "--app", "bitcoin_shop:cashier", COLUMNS="80")

    lines = done.out.splitlines()
    labels = [line.split("  ")[0] for line in lines]
    assert gateway().wallet.described in lines
    assert {"Account", "Descriptor", "First addresses", "Addresses given away"} <= set(labels)
    assert "Account               coins" in lines


def test_a_payment_shows_address_link_rate_expiry_and_a_code_to_scan(run: Run) -> None:
    with open_shop() as shop:
        shop.issue(number="A", customer="C", total=Money.of("USD", 50), due="2026-12-01")
        payment = shop.collect("A", via="coins", key="A")
    assert isinstance(payment.action, PayToAddress)
    assert payment.expires_at is not None

    app = ("--app", "bitcoin_shop:cashier")
    done = run("payment", "show", payment.id, *app, "--qr", COLUMNS="80")

    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert f"Address {payment.action.address}" in lines
    assert f"Expires {payment.expires_at:%Y-%m-%d %H:%M} UTC" in lines
    assert f"Rate {payment.action.rate} ({payment.action.rate_source})" in lines
    assert payment.action.uri in done.out.splitlines()
    assert qr_text(payment.action.uri) in done.out


def test_check_tells_what_is_wrong_with_the_node(run: Run) -> None:
    NODE[0].info.update(chain="main")

    done = run("bitcoin", "check", "--app", "bitcoin_shop:cashier", "--json")

    assert done.code == 1
    assert "network 'main'" in done.json["accounts"][0]["problem"]


def test_watch_reads_to_the_newest_block_and_books(run: Run) -> None:
    with open_shop() as shop:
        shop.issue(number="A", customer="C", total=Money.of("USD", 50), due="2026-12-01")
        shop.collect("A", via="coins", key="A")
    NODE[0].mine(pay((gateway().wallet.script(0), 100_000)))
    NODE[0].mine()

    done = run("bitcoin", "watch", "--once", "--app", "bitcoin_shop:cashier")

    assert (done.code, done.err) == (0, "")
    assert "1 payment with news" in done.out
    with open_shop() as shop:
        assert shop.invoice("A").open == Money.of("USD", 0)


def test_a_program_reads_a_line_for_each_pass_and_where_a_chain_is_read_again(run: Run) -> None:
    with open_shop() as shop:
        shop.issue(number="A", customer="C", total=Money.of("USD", 50), due="2026-12-01")
        paid = shop.collect("A", via="coins", key="A")
    NODE[0].mine(pay((gateway().wallet.script(0), 100_000)))

    watched = run("bitcoin", "watch", "--once", "--app", "bitcoin_shop:cashier", "--json")
    start = ("--from", "0", "--app", "bitcoin_shop:cashier")
    moved = run("bitcoin", "rescan", *start, "--json")

    assert watched.out.count("\n") == 1
    assert (watched.json["watched"]["payments"], watched.json["watched"]["failed"]) == (
        [paid.id],
        {},
    )
    assert (moved.json["rescan"]["account"], moved.json["rescan"]["start"]) == ("coins", 0)
    assert "continues at block 0" in run("bitcoin", "rescan", *start).out


def test_watch_says_how_many_blocks_it_read_over_all_pages(run: Run) -> None:
    # The first reading begins 100 blocks before the newest, and reads them in pages of 10.
    first = run("bitcoin", "watch", "--once", "--app", "bitcoin_shop:cashier")
    NODE[0].mine_many(3)

    after = run("bitcoin", "watch", "--once", "--app", "bitcoin_shop:cashier")
    again = run("bitcoin", "watch", "--once", "--app", "bitcoin_shop:cashier")

    assert first.out.strip() == "read 100 blocks, up to the newest; 0 payments with news"
    assert after.out.strip() == "read 3 blocks, up to the newest; 0 payments with news"
    assert again.out.strip() == "read 0 blocks, up to the newest; 0 payments with news"


def test_watch_reads_all_that_waits_however_much_it_is(run: Run) -> None:
    with open_shop() as shop:
        shop.issue(number="A", customer="C", total=Money.of("USD", 50), due="2026-12-01")
        payment = shop.collect("A", via="coins", key="A")
    for _ in range(5_100):
        NODE[0].see(pay((DECOY, 7)))
    while not (tx := pay((gateway().wallet.script(0), 100_000))).id.startswith("ff"):
        pass
    NODE[0].see(tx)

    done = run("bitcoin", "watch", "--once", "--app", "bitcoin_shop:cashier")

    assert (done.code, done.err) == (0, "")
    with open_shop() as shop:
        assert shop.payment(payment.id).status is PaymentStatus.PROCESSING


def test_watch_tells_why_it_cannot_read(run: Run) -> None:
    NODE[0].status = 401

    done = run("bitcoin", "watch", "--once", "--app", "bitcoin_shop:cashier")

    assert done.code == 1
    assert "user and password" in done.err


def test_watch_says_that_another_process_reads(run: Run) -> None:
    with open_shop() as shop:
        shop.read_feeds()
    with closing(sqlite3.connect("paygate.db")) as ledger, ledger:
        ledger.execute("UPDATE paygate_feed SET lease_until = '2999-01-01T00:00:00.000000+00:00'")

    done = run("bitcoin", "watch", "--once", "--app", "bitcoin_shop:cashier")

    assert done.code == 1
    assert "another process reads it, until 2999-01-01 00:00:00 UTC" in " ".join(done.err.split())
    assert "newest" not in done.out


def test_other_accounts_are_no_bitcoin(run: Run) -> None:
    done = run("bitcoin", "check", "--gateways", "gateways.toml")

    assert done.code == 2
    assert "no Bitcoin account" in done.err
    assert not Path("paygate.db").exists()
