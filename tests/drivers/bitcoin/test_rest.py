"""What is left after a part has come: the payer is asked for it at the same address."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from paygate import Money, Payment, PaymentStatus, PayToAddress
from paygate.errors import NotPayable
from tests.drivers.bitcoin.conftest import Shop, action, btc, usd
from tests.drivers.bitcoin.node import Tx, pay

QUOTED = 100_000


def wait(shop: Shop, tx: Tx) -> None:
    """Let the node see a transaction."""
    shop.node.see(tx)
    shop.look()


def confirm(shop: Shop, tx: Tx) -> None:
    """Let a transaction settle."""
    shop.node.mine(tx)
    shop.node.mine()
    shop.look()


def rest_of(shop: Shop, payment: Payment) -> PayToAddress:
    asked = shop.cashier.action_of(payment)
    assert isinstance(asked, PayToAddress)
    return asked


@pytest.fixture
def asked(shop: Shop) -> Payment:
    """Return a payment of 50.00 USD, which is 100,000 satoshi."""
    payment = shop.ask("INV-1")
    shop.look()
    return payment


@pytest.mark.parametrize("come", [wait, confirm])
def test_after_a_part_the_payer_is_asked_for_the_rest_at_the_same_address(
    shop: Shop, asked: Payment, come: Callable[[Shop, Tx], None]
) -> None:
    come(shop, pay((shop.script(asked), 60_000)))

    rest = rest_of(shop, asked)

    first = action(asked)
    assert rest.address == first.address
    assert (rest.amount, rest.enough) == (btc(40_000), btc(40_000))
    assert (rest.rate, rest.rate_source) == (first.rate, first.rate_source)
    assert rest.uri == first.uri.replace("amount=0.001", "amount=0.0004")
    for tx in list(shop.node.mempool.values()):
        confirm(shop, tx)
    confirm(shop, pay((shop.script(asked), rest.amount.minor)))
    assert [each.amount for each in shop.receipts(asked)] == [usd("30.00"), usd("20.00")]
    assert shop.open("INV-1") == usd("0.00")


def test_each_part_makes_the_rest_smaller_and_one_that_goes_makes_it_larger(
    shop: Shop, asked: Payment
) -> None:
    script = shop.script(asked)
    confirm(shop, pay((script, 20_000)))
    coin = f"{7:064x}:0"
    wait(shop, pay((script, 30_000), spends=coin))
    assert rest_of(shop, asked).amount == btc(50_000)

    shop.node.mempool.clear()
    wait(shop, pay((script, 10_000), spends=coin))

    assert rest_of(shop, asked).amount == btc(70_000)


def test_a_little_that_holds_nothing_is_not_asked_for_again(shop: Shop, asked: Payment) -> None:
    wait(shop, pay((shop.script(asked), 700)))

    assert shop.payment(asked).status is PaymentStatus.REQUIRES_ACTION
    assert shop.payment(asked).action == asked.action
    assert rest_of(shop, asked).amount == btc(QUOTED - 700)


def test_before_anything_has_come_the_whole_is_asked_for(shop: Shop, asked: Payment) -> None:
    assert shop.cashier.action_of(asked) == asked.action


@pytest.mark.parametrize("come", [wait, confirm])
def test_when_all_has_come_nothing_is_left(
    shop: Shop, asked: Payment, come: Callable[[Shop, Tx], None]
) -> None:
    come(shop, pay((shop.script(asked), QUOTED)))

    with pytest.raises(NotPayable, match="the requested amount has come or is on its way"):
        shop.cashier.action_of(asked)


def test_what_is_left_within_the_tolerance_is_not_asked_for(shop: Shop) -> None:
    shop.start(tolerance_percent="1")
    asked = shop.ask("INV-1")
    shop.look()
    wait(shop, pay((shop.script(asked), 60_000)))
    rest = rest_of(shop, asked)
    assert (rest.amount, rest.enough) == (btc(40_000), btc(39_000))

    wait(shop, pay((shop.script(asked), 39_000)))

    with pytest.raises(NotPayable, match="the requested amount has come"):
        shop.cashier.action_of(asked)


def test_a_quote_that_has_expired_asks_for_nothing_more(shop: Shop, asked: Payment) -> None:
    wait(shop, pay((shop.script(asked), 60_000)))
    shop.later(minutes=16)

    with pytest.raises(NotPayable, match=r"the quote expired at .*; collect again") as refused:
        shop.cashier.action_of(asked)

    assert refused.value.payment == asked.id
    again = shop.cashier.collect("INV-1", via="bitcoin", key="again")
    assert action(again).amount == btc(40_000)


@pytest.mark.parametrize("come", [wait, confirm])
def test_a_rest_that_was_paid_otherwise_is_not_asked_for(
    shop: Shop, asked: Payment, come: Callable[[Shop, Tx], None]
) -> None:
    come(shop, pay((shop.script(asked), 60_000)))
    shop.cashier.record("INV-1", by="cash", key="till", amount=usd("5.00"))

    with pytest.raises(NotPayable, match="less is open on its invoices than the rest"):
        shop.cashier.action_of(asked)


def test_a_rest_that_is_smaller_than_can_be_sent_is_not_asked_for(
    shop: Shop, asked: Payment
) -> None:
    wait(shop, pay((shop.script(asked), QUOTED - 300)))

    with pytest.raises(NotPayable, match=r"0\.00000300 BTC is less than the account's minimum"):
        shop.cashier.action_of(asked)


def test_a_payment_that_was_reversed_asks_for_nothing(shop: Shop, asked: Payment) -> None:
    confirm(shop, pay((shop.script(asked), 60_000)))
    shop.cashier.reverse(asked, reason="a mistake", force=True)

    with pytest.raises(NotPayable, match="it was reversed"):
        shop.cashier.action_of(asked)


@pytest.mark.parametrize("come", [wait, confirm])
def test_an_invoice_in_bitcoin_is_asked_for_the_rest_without_a_rate(
    shop: Shop, come: Callable[[Shop, Tx], None]
) -> None:
    shop.cashier.issue(number="B", customer="C-1", total=btc(QUOTED), due="2026-12-01")
    payment = shop.cashier.collect("B", via="bitcoin", key="B")
    shop.look()

    come(shop, pay((shop.script(payment), 60_000)))

    rest = rest_of(shop, payment)
    assert (rest.amount, rest.enough, rest.rate) == (btc(40_000), None, "")


def test_more_than_the_invoices_that_the_payer_chose_to_pay_is_asked_for(shop: Shop) -> None:
    payment = shop.cashier.top_up("C-1", Money.of("USD", "50.00"), via="bitcoin", key="top")
    shop.look()

    wait(shop, pay((shop.script(payment), 60_000)))

    assert rest_of(shop, payment).amount == btc(40_000)
