"""Money at an address that this ledger never gave out, and parts that do not come."""

from __future__ import annotations

from paygate import Cashier, Money, Payment, PaymentStatus
from paygate.ledger.book import Violation
from tests.drivers.bitcoin.conftest import Shop, btc, usd
from tests.drivers.bitcoin.node import OnSimulatedNode, pay

QUOTED = 100_000  # 50 dollars at 50,000 a bitcoin


def strays(cashier: Cashier) -> list[Payment]:
    return list(cashier.payments(needs_review=True))


def test_money_at_an_address_that_nobody_was_given_is_in_suspense(shop: Shop) -> None:
    script, address = shop.gateway.wallet.script(170), shop.gateway.wallet.address(170)
    tx = shop.node.see(pay((script, 90_000)))
    shop.look()
    assert strays(shop.cashier) == []

    shop.node.mine(tx)
    shop.node.mine()
    shop.look()
    shop.look()

    [stray] = strays(shop.cashier)
    assert (stray.customer, stray.payer_number) == ("", address)
    assert (stray.unallocated, stray.received) == (btc(90_000), btc(90_000))
    assert [each.movement_id for each in shop.receipts(stray)] == [f"{tx.id}:0"]
    assert [each for each in shop.cashier.events(limit=1000) if each.type == "payment.unasked"]
    assert {each.state for each in shop.cashier.callbacks()} == {"applied", "ignored"}
    shop.cashier.assign(stray, customer="C-1", reason="the payer wrote to us")
    assert [lot.amount for lot in shop.cashier.credits("C-1")] == [btc(90_000)]


def test_money_that_nobody_was_asked_for_goes_when_the_chain_loses_it(shop: Shop) -> None:
    script = shop.gateway.wallet.script(170)
    shop.node.mine(pay((script, 90_000)), pay((script, 5_000)))
    shop.node.mine()
    shop.look()
    assert len(strays(shop.cashier)) == 2

    shop.node.reorganise(2, (), (), ())
    shop.look()

    assert [each.returned for each in shop.cashier.payments()] == [btc(5_000), btc(90_000)] or [
        each.returned for each in shop.cashier.payments()
    ] == [btc(90_000), btc(5_000)]
    assert sum(each.unallocated.minor for each in shop.cashier.payments()) == 0


def test_an_address_found_on_the_chain_is_that_of_one_tenant(shop: Shop) -> None:
    # Two tenants use one wallet, and only one of them books what nobody was asked for.
    gateway = OnSimulatedNode(shop.settings, shop.node)
    other = Cashier.open(
        f"sqlite:///{shop.folder / 'ledger.db'}",
        gateways={"coins": gateway},
        clock=shop.clock,
        tenant="other",
    )
    shop.node.mine(pay((shop.gateway.wallet.script(170), 90_000)))
    shop.node.mine()
    for _ in range(2):
        shop.look()
        other.read_feeds()
        other.apply_callbacks()

    assert (len(strays(shop.cashier)), len(strays(other))) == (1, 0)
    found: list[Violation] = other.fsck()
    other.close()
    assert found == []


def test_a_part_that_does_not_come_ends_by_itself_long_after_another_has_settled(
    shop: Shop,
) -> None:
    payment = shop.ask("INV-1")
    script, spent = shop.script(payment), "ab" * 32 + ":1"
    shop.node.mine(pay((script, QUOTED // 2)))
    shop.look()
    shop.node.mine_many(150)
    shop.look()
    shop.node.see(pay((script, QUOTED // 2), spends=spent))
    shop.look()
    shop.node.mempool.clear()
    shop.node.mine(pay((b"\x51", QUOTED), spends=spent))
    shop.look()

    now = shop.payment(payment)
    assert (now.status, now.needs_review) == (PaymentStatus.SUCCEEDED, False)
    assert now.received == usd("25.00")
    assert shop.alerts() == []


# --- What an accountant and a payer ask -------------------------------------------------------


def test_a_payment_shows_what_is_seen_of_it_and_how_sure_that_is(shop: Shop) -> None:
    shop.start(confirmations=3)
    payment = shop.ask("INV-1")
    shop.look()
    tx = shop.node.see(pay((shop.script(payment), 70_000)))
    shop.look()

    def seen() -> list[tuple[str, Money, int, int]]:
        now = shop.payment(payment)
        assert now.seen == usd("35.00")
        return [(s.name, s.quantity, s.confirmations, s.needed) for s in now.sightings]

    assert seen() == [(f"{tx.id}:0", btc(70_000), 0, 3)]
    shop.node.mine(tx)
    shop.node.mine()
    shop.look()
    assert seen() == [(f"{tx.id}:0", btc(70_000), 2, 3)]
    pending = [e for e in shop.cashier.events(limit=1000) if e.type == "payment.pending"]
    assert [event.data["seen_minor"] for event in pending] == [3_500]

    shop.node.mine()
    shop.look()
    assert shop.payment(payment).sightings == ()


def test_an_accountant_reads_at_which_rate_and_where(shop: Shop) -> None:
    shop.ask("INV-1")
    payment = shop.ask("INV-2")
    tx = pay((shop.script(payment), QUOTED))
    shop.node.mine(tx)
    shop.node.mine()
    shop.look()

    [receipt] = shop.receipts(payment)
    assert (receipt.quantity, receipt.rate, receipt.rate_source) == (
        btc(QUOTED),
        "50000.00",
        "settings",
    )
    assert receipt.movement_id == f"{tx.id}:0"
    now = shop.payment(payment)
    assert (now.reference, now.address_index) == (shop.gateway.wallet.address(1), 1)


def test_what_was_seen_and_is_applied_again_after_it_was_booked_is_not_on_its_way(
    shop: Shop,
) -> None:
    payment = shop.ask("INV-1")
    tx = shop.node.see(pay((shop.script(payment), 70_000)))
    shop.look()
    shop.node.mine(tx)
    shop.node.mine()
    shop.look()
    [first] = [each for each in shop.cashier.callbacks() if each.event_id.endswith(":seen:1")]

    shop.cashier.replay_callback(first)

    now = shop.payment(payment)
    assert (now.sightings, now.received) == ((), usd("35.00"))
    again = shop.cashier.collect("INV-1", via="bitcoin", key="rest")
    assert again.amount == usd("15.00")
