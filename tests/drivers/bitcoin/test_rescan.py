"""A chain that cannot be read on: the way out books nothing twice, and is written down."""

from __future__ import annotations

import pytest

from paygate import Cashier
from paygate.errors import BadResponse, FeedBusy, Unsupported
from paygate.testing import FakeGateway
from tests.drivers.bitcoin.conftest import Shop, usd
from tests.drivers.bitcoin.node import chain, pay

QUOTED = 100_000  # 50 dollars at 50,000 a bitcoin


def failing(shop: Shop) -> str:
    return shop.cashier.read_feeds().failed["bitcoin"]


def test_a_node_that_lacks_blocks_is_read_on_from_those_it_has(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    shop.look()
    shop.node.mine_many(200)
    shop.node.info.update(pruned=True, pruneheight=300)
    assert "rescan --from 300" in failing(shop)
    with pytest.raises(BadResponse, match="deleted the blocks"):
        shop.cashier.rescan("bitcoin", start=200)

    moved = shop.cashier.rescan("bitcoin", start=300)
    assert moved.behind == 20
    shop.node.mine(pay((shop.script(payment), QUOTED)))
    shop.node.mine()
    shop.look()

    assert shop.open("INV-1") == usd("0.00")


def test_a_change_of_the_chain_deeper_than_is_remembered_is_followed(shop: Shop) -> None:
    shop.start(reorg_depth=10)
    lost, kept = shop.ask("LOST"), shop.ask("KEPT", customer="C-2")
    shop.look()
    first, second = pay((shop.script(lost), QUOTED)), pay((shop.script(kept), QUOTED))
    shop.node.mine_many(10)
    shop.node.mine(first, second)
    shop.node.mine()
    shop.look()
    assert shop.open("LOST") == shop.open("KEPT") == usd("0.00")
    shop.node.reorganise(12, (), (second,), *[()] * 20)
    assert "rescan --from HEIGHT" in failing(shop)

    shop.cashier.rescan("bitcoin", start=100)
    shop.look()

    assert shop.open("LOST") == usd("50.00")
    assert shop.open("KEPT") == usd("0.00")
    assert len(shop.receipts(kept)) == 1


def test_what_was_read_long_ago_is_read_again_and_booked_once(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    shop.look()
    shop.node.mine(pay((shop.script(payment), QUOTED)))
    shop.node.mine_many(150)
    shop.look()

    for _ in range(2):
        shop.cashier.rescan("bitcoin", start=0)
        shop.look()

    assert len(shop.receipts(payment)) == 1
    assert {each.state for each in shop.cashier.callbacks()} == {"applied"}
    again = [each for each in shop.cashier.events(limit=1000) if each.type == "feed.rescanned"]
    assert [each.data["start"] for each in again] == ["0", "0"]


def test_a_test_network_that_was_reset_is_read_from_its_beginning(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    shop.node.mine(pay((shop.script(payment), QUOTED)))
    shop.node.mine()
    shop.look()
    shop.node.blocks = chain(5).blocks
    assert "another chain" in failing(shop)

    shop.cashier.rescan("bitcoin", start=0)
    for _ in range(7):
        shop.look()
        shop.node.mine()

    assert shop.open("INV-1") == usd("50.00")


def test_a_start_before_what_was_read_is_refused_and_says_how_it_is_done(shop: Shop) -> None:
    shop.look()
    shop.start(start_height=3)
    assert "rescan --from 3" in failing(shop)

    shop.cashier.rescan("bitcoin", start=3)

    shop.look()


def test_nobody_moves_a_feed_that_is_being_read_or_has_no_blocks(shop: Shop) -> None:
    shop.look()
    with pytest.raises(BadResponse, match="newest block is 119"):
        shop.cashier.rescan("bitcoin", start=500)
    with Cashier.in_memory(gateways={"card": FakeGateway()}) as cashier, pytest.raises(Unsupported):
        cashier.rescan("card", start=0)

    node = shop.gateway.answer
    other: list[int] = []

    def meanwhile(request: object) -> object:
        if not other:
            other.append(0)
            with pytest.raises(FeedBusy):
                shop.cashier.rescan("bitcoin", start=1)
        return node(request)  # type: ignore[arg-type]

    shop.gateway.answer = meanwhile  # type: ignore[method-assign, assignment]
    shop.look()
    assert other
