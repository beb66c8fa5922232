"""What happens to an invoice when bitcoin comes: exactly, late, in parts, too much, and back."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest

from paygate import Event, Money, PaymentStatus
from paygate.dialogue import Request
from paygate.domain.movement import MovementKind
from paygate.drivers.bitcoin.watching import Coin, Watch
from paygate.errors import AlreadyPaid, ItemAlreadyBeingPaid
from tests.drivers.bitcoin.conftest import Shop, action, btc, settings, usd
from tests.drivers.bitcoin.node import pay

QUOTED = 100_000  # 50 dollars at 50,000 a bitcoin


def test_the_payer_is_told_an_address_an_amount_and_until_when(shop: Shop) -> None:
    payment = shop.ask("INV-1")

    asked = action(payment)
    assert payment.status is PaymentStatus.REQUIRES_ACTION
    assert asked.address == "bcrt1q6rz28mcfaxtmd6v789l9rrlrusdprr9pz3cppk"
    assert asked.amount == btc(QUOTED)
    assert asked.uri == f"bitcoin:{asked.address}?amount=0.001&message=INV-1"
    assert (asked.rate, asked.rate_source) == ("50000.00", "settings")
    assert shop.open("INV-1") == usd("50.00")


def test_an_exact_payment_is_seen_then_settles_once(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    shop.look()
    tx = shop.node.see(pay((shop.script(payment), QUOTED)))

    shop.look()
    assert shop.payment(payment).status is PaymentStatus.PROCESSING
    with pytest.raises(ItemAlreadyBeingPaid):
        shop.cashier.collect("INV-1", via="bitcoin", key="again")

    shop.node.mine(tx)
    shop.look()
    assert shop.payment(payment).status is PaymentStatus.PROCESSING
    assert shop.open("INV-1") == usd("50.00")

    shop.node.mine()
    for _ in range(3):
        shop.look()
        shop.node.mine()
    [receipt] = shop.receipts(payment)
    assert (receipt.movement_id, receipt.amount) == (f"{tx.id}:0", usd("50.00"))
    assert shop.payment(payment).status is PaymentStatus.SUCCEEDED
    assert shop.open("INV-1") == usd("0.00")


@pytest.mark.parametrize(
    ("satoshis", "worth", "open_after", "credit"),
    [
        (QUOTED - 1, "49.99", "0.01", "0.00"),
        (1_999, "0.99", "49.01", "0.00"),
        (QUOTED, "50.00", "0.00", "0.00"),
        (QUOTED + 1_999, "50.99", "0.00", "0.99"),
        (3 * QUOTED, "150.00", "0.00", "100.00"),
    ],
)
def test_what_comes_is_worth_its_share_of_the_quote(
    shop: Shop, satoshis: int, worth: str, open_after: str, credit: str
) -> None:
    payment = shop.ask("INV-1")

    shop.node.mine(pay((shop.script(payment), satoshis)))
    shop.node.mine()
    shop.look()

    assert shop.payment(payment).received == usd(worth)
    assert shop.open("INV-1") == usd(open_after)
    lots = shop.cashier.credits("C-1")
    assert sum(lot.amount.minor for lot in lots) == usd(credit).minor


def test_parts_add_up_to_the_whole_to_the_last_cent(shop: Shop) -> None:
    payment = shop.ask("INV-1", "50.01")
    quoted = action(payment).amount.minor
    script, third = shop.script(payment), quoted // 3

    shop.node.mine(pay((script, third), (script, third)), pay((script, quoted - 2 * third)))
    shop.node.mine()
    shop.look()

    assert [r.amount for r in shop.receipts(payment)] == [usd("16.67")] * 3
    assert shop.open("INV-1") == usd("0.00")


def test_parts_over_days_fill_the_invoice_and_then_become_credit(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    for _ in range(3):
        shop.node.mine(pay((shop.script(payment), QUOTED // 2)))
        shop.node.mine()
        shop.later(days=3)
        shop.look()

    assert shop.open("INV-1") == usd("0.00")
    assert shop.payment(payment).received == usd("75.00")
    assert [lot.amount for lot in shop.cashier.credits("C-1")] == [usd("25.00")]


def test_within_the_tolerance_the_invoice_is_paid_and_below_it_is_not(shop: Shop) -> None:
    shop.start(tolerance_percent=Decimal(1))
    near, short = shop.ask("NEAR"), shop.ask("SHORT", customer="C-2")
    shop.node.mine(
        pay((shop.script(near), 99_000)),
        pay((shop.script(short), 98_999)),
    )
    shop.node.mine()
    shop.look()

    assert shop.open("NEAR") == usd("0.00")
    assert shop.open("SHORT") == usd("0.51")


def test_a_quote_holds_whatever_the_rate_does(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    shop.start(rates={"USD": Decimal("49000.01")})

    shop.node.mine(pay((shop.script(payment), QUOTED)))
    shop.node.mine()
    shop.look()

    assert shop.open("INV-1") == usd("0.00")


def test_money_after_the_quote_has_expired_is_booked_with_an_alert(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    for _ in range(12):
        shop.later(hours=6)
        shop.cashier.recover()
    assert shop.payment(payment).status is PaymentStatus.EXPIRED

    shop.node.mine(pay((shop.script(payment), QUOTED)))
    shop.node.mine()
    shop.look()

    assert shop.payment(payment).status is PaymentStatus.SUCCEEDED
    assert shop.open("INV-1") == usd("0.00")
    assert any("ended as expired" in text for text in shop.alerts())


def test_nothing_expires_while_the_node_cannot_be_asked(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    shop.node.status = 503
    for _ in range(12):
        shop.later(hours=6)
        shop.cashier.recover()

    assert shop.payment(payment).status is PaymentStatus.REQUIRES_ACTION


def test_money_for_an_invoice_that_was_paid_otherwise_is_credit(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    script = shop.script(payment)
    shop.cashier.record("INV-1", by="cash", key="cash")

    shop.node.mine(pay((script, QUOTED)))
    shop.node.mine()
    shop.look()

    assert [lot.amount for lot in shop.cashier.credits("C-1")] == [usd("50.00")]
    assert shop.alerts()


def test_an_invoice_in_bitcoin_needs_no_rate(shop: Shop) -> None:
    shop.cashier.issue(number="B", customer="C-1", total=btc(70_000), due="2026-12-01")
    payment = shop.cashier.collect("B", via="bitcoin", key="B")
    assert action(payment).amount == btc(70_000)

    shop.node.mine(pay((shop.script(payment), 70_001)))
    shop.node.mine()
    shop.look()

    assert shop.open("B") == btc(0)
    assert [lot.amount for lot in shop.cashier.credits("C-1")] == [btc(1)]


# --- Addresses --------------------------------------------------------------------------------


def test_the_same_payer_and_invoice_get_the_same_address_with_a_new_quote(shop: Shop) -> None:
    first = shop.ask("INV-1")
    shop.start(rates={"USD": Decimal(40000)})
    second = shop.cashier.collect("INV-1", via="bitcoin", key="later")

    assert action(first).address == action(second).address
    assert action(second).amount == btc(125_000)

    shop.node.mine(pay((shop.script(second), 125_000)))
    shop.node.mine()
    shop.look()
    assert shop.payment(second).received == usd("50.00")
    assert shop.payment(first).received == usd("0.00")


def test_everybody_else_gets_another_address(shop: Shop) -> None:
    payments = [shop.ask(f"INV-{n}", customer=f"C-{n % 3}") for n in range(6)]

    assert len({action(payment).address for payment in payments}) == 6


def test_an_address_for_each_payer_takes_the_oldest_invoice_first(shop: Shop) -> None:
    shop.start(address_per="payer")
    first, second = shop.ask("INV-1"), shop.ask("INV-2")
    other = shop.ask("INV-3", customer="C-2")
    assert action(first).address == action(second).address
    assert action(other).address != action(first).address

    for _ in range(2):
        shop.node.mine(pay((shop.script(second), QUOTED)))
        shop.node.mine()
        shop.look()
        paid = [shop.payment(each).status is PaymentStatus.SUCCEEDED for each in (first, second)]
        assert paid[0]
    assert shop.open("INV-1") == shop.open("INV-2") == usd("0.00")


def test_an_abandoned_page_costs_no_second_number(shop: Shop) -> None:
    shop.ask("INV-1")
    for n in range(5):
        shop.cashier.collect("INV-1", via="bitcoin", key=f"try-{n}")
    other = shop.ask("INV-2")

    assert action(other).address == shop.gateway.wallet.address(1)


def test_more_unpaid_addresses_than_a_wallet_looks_past_are_told(shop: Shop) -> None:
    shop.start(gap_limit=3)
    for n in range(3):
        shop.ask(f"INV-{n}")
    assert shop.alerts() == []

    fourth = shop.ask("INV-3")
    [text] = shop.alerts()
    assert "gap limit" in text

    shop.node.mine(pay((shop.script(fourth), QUOTED)))
    shop.look()
    shop.ask("INV-4")
    assert len(shop.alerts()) == 1


def test_past_the_gap_limit_one_alert_is_enough_until_an_address_is_paid(shop: Shop) -> None:
    shop.start(gap_limit=3)
    payments = [shop.ask(f"INV-{n}") for n in range(12)]
    assert len(shop.alerts()) == 1

    shop.node.mine(pay((shop.script(payments[7]), QUOTED)))
    shop.look()
    shop.ask("INV-A")
    assert len(shop.alerts()) == 2
    shop.ask("INV-B")
    assert len(shop.alerts()) == 2


def test_past_a_raised_gap_limit_there_is_an_alert_of_its_own(shop: Shop) -> None:
    shop.start(gap_limit=3)
    for n in range(6):
        shop.ask(f"INV-{n}")
    shop.start(gap_limit=8)
    for n in range(6, 12):
        shop.ask(f"INV-{n}")

    told = [text for text in shop.alerts() if "gap limit" in text]

    assert [text.partition(" ")[0] for text in told] == ["4", "9"]


def test_a_ledger_that_forgot_numbers_does_not_give_them_to_others(shop: Shop) -> None:
    # Somebody paid to an address that a lost ledger had given away.
    shop.node.mine(pay((shop.gateway.wallet.script(41), 5_000)))
    shop.look()

    assert action(shop.ask("INV-1")).address == shop.gateway.wallet.address(42)


def test_old_addresses_are_watched_for_ever(shop: Shop) -> None:
    shop.look()
    payment = shop.ask("INV-1")
    script = shop.script(payment)
    shop.node.mine(pay((script, QUOTED)))
    shop.node.mine_many(150)
    shop.look()
    shop.later(days=900)
    shop.start()

    shop.node.mine(pay((script, 20_000)))
    shop.node.mine()
    shop.look()

    assert [lot.amount for lot in shop.cashier.credits("C-1")] == [usd("10.00")]
    with pytest.raises(AlreadyPaid):
        shop.cashier.collect("INV-1", via="bitcoin", key="again")


# --- The chain changes ------------------------------------------------------------------------


def test_a_settled_payment_that_vanishes_is_returned_and_one_that_comes_back_is_new(
    shop: Shop,
) -> None:
    payment = shop.ask("INV-1")
    tx = pay((shop.script(payment), QUOTED))
    shop.node.mine(tx)
    shop.node.mine()
    shop.look()
    assert shop.open("INV-1") == usd("0.00")

    shop.node.reorganise(2, (), (), ())
    shop.look()
    assert shop.open("INV-1") == usd("50.00")
    assert shop.payment(payment).returned == usd("50.00")

    shop.node.mine(tx)
    shop.node.mine()
    shop.look()
    assert shop.open("INV-1") == usd("0.00")
    assert [(r.kind, r.movement_id, r.amount) for r in shop.receipts(payment)] == [
        (MovementKind.CHARGE, f"{tx.id}:0", usd("50.00")),
        (MovementKind.RETURN, f"{tx.id}:0:gone", usd("50.00")),
        (MovementKind.CHARGE, f"{tx.id}:0#2", usd("50.00")),
    ]


def test_a_payment_that_the_new_chain_has_as_well_is_no_return(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    tx = pay((shop.script(payment), QUOTED))
    shop.node.mine(tx)
    shop.node.mine()
    shop.look()

    shop.node.reorganise(2, (), (tx,), ())
    shop.look()
    shop.node.mine_many(5)
    shop.look()

    assert len(shop.receipts(payment)) == 1
    assert shop.open("INV-1") == usd("0.00")


def test_before_it_settles_a_payment_may_move_between_blocks(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    tx = pay((shop.script(payment), QUOTED))
    shop.node.mine(tx)
    shop.look()
    shop.node.reorganise(1, (), ())
    shop.node.see(tx)
    shop.look()
    assert shop.payment(payment).status is PaymentStatus.PROCESSING

    shop.node.mine(tx)
    shop.node.mine()
    shop.look()
    assert shop.payment(payment).status is PaymentStatus.SUCCEEDED
    assert len(shop.receipts(payment)) == 1


def test_a_double_spend_before_the_block_fails_the_payment_and_frees_the_invoice(
    shop: Shop,
) -> None:
    payment = shop.ask("INV-1")
    spent = "ab" * 32 + ":1"
    shop.node.see(pay((shop.script(payment), QUOTED), spends=spent))
    shop.look()
    assert shop.payment(payment).status is PaymentStatus.PROCESSING

    shop.node.mempool.clear()
    shop.node.mine(pay((b"\x51", QUOTED), spends=spent))
    shop.look()

    assert shop.payment(payment).status is PaymentStatus.DECLINED
    assert shop.receipts(payment) == []
    again = shop.cashier.collect("INV-1", via="bitcoin", key="again")
    assert action(again).address == shop.gateway.wallet.address(0)


@pytest.mark.parametrize("input_", [0, 49, 60, 119])
def test_a_double_spend_of_any_input_is_noticed(shop: Shop, input_: int) -> None:
    payment = shop.ask("INV-1")
    inputs = [f"{n:02x}" * 32 + ":1" for n in range(1, 121)]
    shop.node.see(pay((shop.script(payment), QUOTED), spends=inputs[0], also_spends=inputs[1:]))
    shop.look()
    assert shop.payment(payment).status is PaymentStatus.PROCESSING

    shop.node.mempool.clear()
    shop.node.mine(pay((b"\x51", QUOTED), spends=inputs[input_]))
    shop.look()

    assert shop.payment(payment).status is PaymentStatus.DECLINED


@pytest.mark.parametrize("satoshis", [QUOTED, QUOTED // 2, 2 * QUOTED])
def test_a_replacement_that_pays_us_is_the_same_payment_with_another_amount(
    shop: Shop, satoshis: int
) -> None:
    payment = shop.ask("INV-1")
    spent = "cd" * 32 + ":0"
    shop.node.see(pay((shop.script(payment), QUOTED), spends=spent, replaceable=True))
    shop.look()

    shop.node.mempool.clear()
    other = shop.node.see(pay((shop.script(payment), satoshis), spends=spent))
    shop.look()
    assert shop.payment(payment).status is PaymentStatus.PROCESSING
    shop.node.mine(other)
    shop.node.mine()
    shop.look()

    [receipt] = shop.receipts(payment)
    assert receipt.amount.minor == 5000 * satoshis // QUOTED
    assert shop.payment(payment).status is PaymentStatus.SUCCEEDED


def test_what_nobody_knows_for_six_blocks_is_given_up_and_still_welcome(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    tx = shop.node.see(pay((shop.script(payment), QUOTED)))
    shop.look()
    shop.node.mempool.clear()
    for _ in range(6):
        shop.look()
        assert shop.payment(payment).status is PaymentStatus.PROCESSING
        shop.node.mine()
    shop.look()
    assert shop.payment(payment).status is PaymentStatus.DECLINED

    shop.node.mine(tx)
    shop.node.mine()
    shop.look()
    assert shop.payment(payment).status is PaymentStatus.SUCCEEDED
    assert shop.open("INV-1") == usd("0.00")


def test_unconfirmed_money_counts_only_by_explicit_choice_and_never_if_replaceable(
    shop: Shop,
) -> None:
    shop.start(accept_unconfirmed_below=Decimal("0.002"))
    small, marked, large = shop.ask("S"), shop.ask("M"), shop.ask("L", "100.00")
    spent = "ef" * 32 + ":0"
    shop.node.see(pay((shop.script(small), QUOTED), spends=spent))
    shop.node.see(pay((shop.script(marked), QUOTED), replaceable=True))
    shop.node.see(pay((shop.script(large), 2 * QUOTED)))
    shop.look()

    assert [shop.open(n) for n in "SML"] == [usd("0.00"), usd("50.00"), usd("100.00")]

    for tx in list(shop.node.mempool.values()):
        if bytes.fromhex("ef" * 32) in tx.raw:
            del shop.node.mempool[tx.id]
    shop.node.mine(pay((b"\x51", QUOTED), spends=spent))
    shop.look()
    assert shop.open("S") == usd("50.00")
    assert shop.payment(small).returned == usd("50.00")


def test_larger_amounts_wait_for_more_blocks(shop: Shop) -> None:
    shop.start(confirmations=1, confirmations_from={"0.002": 4})
    small, large = shop.ask("S"), shop.ask("L", "100.00")
    shop.node.mine(pay((shop.script(small), QUOTED), (shop.script(large), 2 * QUOTED)))
    shop.look()
    assert [shop.open(n) for n in "SL"] == [usd("0.00"), usd("100.00")]

    shop.node.mine_many(2)
    shop.look()
    assert shop.open("L") == usd("100.00")
    shop.node.mine()
    shop.look()
    assert shop.open("L") == usd("0.00")


def test_coins_of_a_miner_wait_until_they_may_be_spent(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    shop.node.mine(pay((shop.script(payment), QUOTED), coinbase=True))
    shop.node.mine_many(98)
    shop.look()
    assert shop.open("INV-1") == usd("50.00")

    shop.node.mine()
    shop.look()
    assert shop.open("INV-1") == usd("0.00")


# --- Outages ----------------------------------------------------------------------------------


def test_what_came_while_nobody_looked_is_found_from_where_it_was_left(shop: Shop) -> None:
    shop.look()
    payment = shop.ask("INV-1")
    shop.close()

    shop.node.mine(pay((shop.script(payment), QUOTED)))
    shop.node.mine_many(250)
    shop.later(days=2)
    shop.start(blocks_per_page=7)
    first = shop.cashier.read_feeds(pages=1)
    assert first.behind == {"bitcoin": 251 - 7}
    shop.look()

    assert shop.open("INV-1") == usd("0.00")


def test_an_outage_across_a_change_of_the_chain_books_what_the_new_one_has(shop: Shop) -> None:
    lost, kept = shop.ask("LOST"), shop.ask("KEPT")
    first, second = pay((shop.script(lost), QUOTED)), pay((shop.script(kept), QUOTED))
    shop.node.mine(first, second)
    shop.node.mine()
    shop.look()
    assert shop.open("LOST") == shop.open("KEPT") == usd("0.00")
    shop.close()

    shop.node.reorganise(2, (second,), *[()] * 60)
    shop.start(blocks_per_page=5)
    shop.look()

    assert shop.open("LOST") == usd("50.00")
    assert shop.open("KEPT") == usd("0.00")
    assert shop.payment(kept).returned == usd("0.00")


def test_reading_the_same_page_twice_books_once(shop: Shop) -> None:
    shop.start(blocks_per_page=500)
    payment = shop.ask("INV-1")
    shop.node.mine(pay((shop.script(payment), QUOTED)))
    shop.node.mine()
    notices = []
    for _ in range(2):
        dialogue = shop.gateway.watch("", 5, {})
        request = next(dialogue)
        try:
            while True:
                assert isinstance(request, Request)
                request = dialogue.send(shop.gateway.answer(request))
        except StopIteration as end:
            notices.append(end.value.notices)
    shop.look()
    shop.look()

    assert notices[0] == notices[1] != ()
    assert len(shop.receipts(payment)) == 1


# --- What is seen holds its own worth -------------------------------------------------------


def held(shop: Shop, number: str) -> Money:
    return shop.cashier.invoice(number).claimed


@pytest.mark.parametrize("satoshis", [1, 700, 9_999])
def test_a_little_that_is_seen_holds_nothing(shop: Shop, satoshis: int) -> None:
    payment = shop.ask("INV-1")
    shop.look()
    shop.node.see(pay((shop.script(payment), satoshis)))

    shop.look()

    now = shop.payment(payment)
    assert (now.status, held(shop, "INV-1")) == (PaymentStatus.REQUIRES_ACTION, usd("0.00"))
    assert now.seen == Money("USD", satoshis // 20)
    again = shop.cashier.collect("INV-1", via="bitcoin", key="again")
    assert action(again).amount == btc(QUOTED)
    shop.cashier.record("INV-1", by="cash", key="till")
    assert shop.open("INV-1") == usd("0.00")


def test_a_part_that_is_seen_holds_that_part_and_the_rest_is_paid_otherwise(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    shop.look()
    tx = shop.node.see(pay((shop.script(payment), 30_000)))

    shop.look()

    now = shop.payment(payment)
    assert (now.status, now.seen) == (PaymentStatus.PROCESSING, usd("15.00"))
    assert held(shop, "INV-1") == usd("15.00")
    rest = shop.cashier.collect("INV-1", via="bitcoin", key="rest")
    assert (rest.amount, action(rest).amount) == (usd("35.00"), btc(70_000))
    shop.cashier.record("INV-1", by="cash", key="till")
    assert shop.open("INV-1") == usd("15.00")
    shop.node.mine(tx)
    shop.node.mine()
    shop.look()
    assert shop.open("INV-1") == usd("0.00")
    assert shop.payment(payment).status is PaymentStatus.SUCCEEDED
    assert (shop.payment(payment).seen, held(shop, "INV-1")) == (usd("0.00"), usd("0.00"))
    assert shop.cashier.fsck() == []


def test_what_is_seen_holds_more_as_more_is_seen_and_less_when_a_part_is_gone(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    shop.look()
    script = shop.script(payment)
    first = pay((script, 30_000))
    shop.node.see(first)
    shop.look()
    second = shop.node.see(pay((script, 70_000)))
    shop.look()
    assert (shop.payment(payment).seen, held(shop, "INV-1")) == (usd("50.00"), usd("50.00"))

    del shop.node.mempool[second.id]
    for _ in range(7):
        shop.node.mine()
        shop.look()

    assert (shop.payment(payment).seen, held(shop, "INV-1")) == (usd("15.00"), usd("15.00"))
    assert shop.payment(payment).status is PaymentStatus.PROCESSING
    seen = [event.data["seen_minor"] for event in events(shop, "payment.seen")]
    assert seen == [1500, 5000, 1500]


def test_a_part_that_is_gone_frees_what_it_held(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    shop.look()
    tx = shop.node.see(pay((shop.script(payment), 30_000)))
    shop.look()

    del shop.node.mempool[tx.id]
    for _ in range(7):
        shop.node.mine()
        shop.look()

    assert shop.payment(payment).status is PaymentStatus.DECLINED
    assert held(shop, "INV-1") == usd("0.00")
    assert shop.payment(payment).seen == usd("0.00")


def test_satoshis_that_are_confirmed_and_worth_nothing_leave_the_page_payable(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    shop.look()
    tx = shop.node.see(pay((shop.script(payment), 3)))
    shop.look()

    shop.node.mine(tx)
    shop.node.mine()
    shop.look()

    assert shop.payment(payment).status is PaymentStatus.REQUIRES_ACTION
    assert held(shop, "INV-1") == usd("0.00")
    [crumb] = shop.receipts(payment)
    assert (crumb.amount, crumb.quantity) == (usd("0.00"), btc(3))
    shop.node.mine(pay((shop.script(payment), QUOTED)))
    shop.node.mine()
    shop.look()
    assert shop.open("INV-1") == usd("0.00")


def test_the_account_says_from_which_share_on_something_is_held(shop: Shop) -> None:
    shop.start(hold_from_percent=60)
    low, high = shop.ask("INV-1"), shop.ask("INV-2", customer="C-2")
    shop.look()

    shop.node.see(pay((shop.script(low), 59_999)))
    shop.node.see(pay((shop.script(high), 60_000)))
    shop.look()

    assert (held(shop, "INV-1"), held(shop, "INV-2")) == (usd("0.00"), usd("30.00"))


def test_credit_is_held_with_the_last_of_the_money(shop: Shop) -> None:
    shop.cashier.record((), by="cash", key="gift", customer="C-1", amount=usd("20.00"))
    payment = shop.ask("INV-1", credit=usd("20.00"))
    shop.look()
    script, asked = shop.script(payment), action(payment).amount.minor

    shop.node.see(pay((script, asked // 2)))
    shop.look()
    part = held(shop, "INV-1")
    shop.node.see(pay((script, asked - asked // 2)))
    shop.look()

    assert (part, held(shop, "INV-1")) == (usd("15.00"), usd("50.00"))
    assert shop.cashier.fsck() == []


@pytest.mark.parametrize("happens", ["seen", "lost"])
def test_what_many_outputs_to_one_address_take_is_in_proportion_to_them(happens: str) -> None:
    few, many = (calls_to_tell(number, happens) for number in (10, 100))

    assert many <= 11 * few


def calls_to_tell(number: int, happens: str) -> int:
    """Count the function calls of telling what has become of so many outputs to one address."""
    coin = Coin(7, 310, coinbase=False, seen=1)
    if happens == "lost":
        coin = replace(coin, reported=0, dead=True)
    coins = {f"{'ab' * 32}:{each}": replace(coin) for each in range(number)}
    watch, facts = Watch(100, ["00" * 32], coins), settings()
    calls = Counter[str]()
    sys.setprofile(lambda _frame, event, _arg: calls.update([event]))
    try:
        told = watch.report(lambda _place: "bcrt1q", facts, whole=True)
    finally:
        sys.setprofile(None)
    assert len(told) == number
    return calls["call"]


def events(shop: Shop, type_: str) -> list[Event]:
    return [each for each in shop.cashier.events(limit=1000) if each.type == type_]
