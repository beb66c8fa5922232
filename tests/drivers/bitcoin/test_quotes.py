"""Which quote money is for, what it is worth, and how much is taken on trust."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from paygate import Money, Payment, PaymentStatus
from paygate.domain.movement import MovementKind
from paygate.drivers.bitcoin import CalledRates
from tests.drivers.bitcoin.conftest import Shop, action, btc, usd
from tests.drivers.bitcoin.node import Tx, pay

QUOTED = 100_000  # 50 dollars at 50,000 a bitcoin
PRICE = Decimal("50000.00")


class Market:
    """What a bitcoin costs, which a test changes."""

    def __init__(self) -> None:
        self.price = PRICE

    def __call__(self, currency: str) -> Decimal:
        assert currency == "USD"
        return self.price


@pytest.fixture
def market(shop: Shop) -> Market:
    market = Market()
    shop.rates = CalledRates(market)
    shop.start()
    return market


def confirm(shop: Shop, *transactions: Tx, blocks: int = 2) -> None:
    """Mine *transactions* and what makes them final, and look."""
    shop.node.mine(*transactions)
    shop.node.mine_many(blocks - 1)
    shop.look()


def reload(shop: Shop, number: str = "INV-1", key: str = "again") -> Payment:
    return shop.cashier.collect(number, via="bitcoin", key=key)


def credit(shop: Shop) -> Money:
    return shop.cashier.balance("C-1")["USD"]


# --- What an accountant reads of it ---------------------------------------------------------


def test_a_line_of_a_receipt_names_the_address_its_number_and_the_transaction(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    asked = action(payment)
    sent = pay((shop.script(payment), QUOTED))
    confirm(shop, sent)

    [line] = shop.cashier.receipt_lines()

    assert (line.address, line.address_index) == (asked.address, payment.address_index)
    assert line.transaction == sent.id
    assert (line.driver, line.customer, line.invoices) == ("bitcoin", "C-1", ("INV-1",))
    assert line.receipt == shop.receipts(payment)[0]
    assert (line.receipt.quantity, line.receipt.rate) == (btc(QUOTED), "50000.00")


# --- A quote that has expired -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("late", "price", "still_open", "balance"),
    [
        ({}, "25000", "25.00", "0.00"),  # half the price: half of it is paid
        ({}, "49600", "0.00", "0.00"),  # moved by 0.8 %: the quote still holds
        ({}, "100000", "0.00", "50.00"),
        ({"late_drift_percent": 0}, "40000", "10.00", "0.00"),
        ({"late": "accept"}, "25000", "0.00", "0.00"),
        ({"late": "credit"}, "25000", "50.00", "25.00"),
    ],
)
def test_what_comes_after_its_quote_is_worth_what_the_account_says(
    shop: Shop,
    market: Market,
    late: Mapping[str, Any],
    price: str,
    still_open: str,
    balance: str,
) -> None:
    shop.start(**late)
    payment = shop.ask("INV-1")
    shop.later(days=45)
    market.price = Decimal(price)

    confirm(shop, pay((shop.script(payment), QUOTED)))

    assert shop.open("INV-1") == usd(still_open)
    assert credit(shop) == usd(balance)
    assert len([text for text in shop.alerts() if "after the quote had expired" in text]) == 1


def test_the_price_of_late_money_is_that_of_when_it_was_seen(shop: Shop, market: Market) -> None:
    payment = shop.ask("INV-1")
    shop.later(hours=3)
    market.price = Decimal(40000)
    tx = shop.node.see(pay((shop.script(payment), QUOTED)))
    shop.look()
    assert shop.payment(payment).seen == usd("40.00")

    market.price = Decimal(10000)
    confirm(shop, tx)

    assert shop.open("INV-1") == usd("10.00")


def test_money_that_was_seen_in_time_keeps_its_quote_however_late_it_is_confirmed(
    shop: Shop, market: Market
) -> None:
    payment = shop.ask("INV-1")
    tx = shop.node.see(pay((shop.script(payment), QUOTED), spends="ab" * 32 + ":0"))
    shop.later(minutes=15)
    shop.look()
    market.price = Decimal(10000)
    shop.later(days=1)
    # The payer pays a higher fee: it is the same payment in another transaction.
    del shop.node.mempool[tx.id]
    other = shop.node.see(pay((shop.script(payment), QUOTED), spends="ab" * 32 + ":0"))
    shop.look()

    confirm(shop, other)

    assert shop.open("INV-1") == usd("0.00")
    assert not [text for text in shop.alerts() if "expired" in text]


@pytest.mark.parametrize(
    ("late", "still_open", "balance"),
    [
        ("reprice", "0.00", "450.27"),  # 600 sat at the quote, the rest at a tenth of the price
        ("credit", "50.00", "500.27"),
        ("accept", "0.00", "4950.00"),
    ],
)
def test_what_was_seen_in_time_keeps_its_quote_for_no_more_than_was_seen(
    shop: Shop, market: Market, late: str, still_open: str, balance: str
) -> None:
    shop.start(late=late)
    payment = shop.ask("INV-1")
    tx = shop.node.see(pay((shop.script(payment), 600), spends="ab" * 32 + ":0", replaceable=True))
    shop.look()
    market.price = Decimal(5000)
    shop.later(days=3)
    del shop.node.mempool[tx.id]
    other = shop.node.see(pay((shop.script(payment), 10_000_000), spends="ab" * 32 + ":0"))
    shop.look()

    confirm(shop, other)

    assert (shop.open("INV-1"), credit(shop)) == (usd(still_open), usd(balance))
    assert any("expired" in text for text in shop.alerts())


def test_money_that_settled_keeps_its_quote_for_no_more_than_it_was(
    shop: Shop, market: Market
) -> None:
    payment = shop.ask("INV-1")
    script, spent = shop.script(payment), "cd" * 32 + ":0"
    confirm(shop, pay((script, QUOTED), spends=spent))
    shop.later(days=2)
    market.price = Decimal(5000)
    shop.node.reorganise(2, (pay((script, 10_000_000), spends=spent),), (), ())

    shop.look()

    # 50 dollars at the quote, and 9,900,000 sat at 5,000 a bitcoin
    assert (shop.open("INV-1"), credit(shop)) == (usd("0.00"), usd("495.00"))
    assert any("expired" in text for text in shop.alerts())


def test_a_replacement_with_many_outputs_keeps_the_quote_for_one_of_them(
    shop: Shop, market: Market
) -> None:
    payment = shop.ask("INV-1")
    script, spent = shop.script(payment), "ef" * 32 + ":0"
    tx = shop.node.see(pay((script, QUOTED), spends=spent, replaceable=True))
    shop.look()
    market.price = Decimal(5000)
    shop.later(days=3)
    del shop.node.mempool[tx.id]

    confirm(shop, pay((script, 60_000), (script, 60_000), (script, 60_000), spends=spent))

    # 100,000 sat are 50 dollars at the quote, and 80,000 are 4 dollars at the price of then
    assert shop.payment(payment).received == usd("54.00")


def test_a_payment_that_is_replaced_twice_keeps_its_quote(shop: Shop, market: Market) -> None:
    payment = shop.ask("INV-1")
    script, spent = shop.script(payment), "ef" * 32 + ":0"
    parts = (script, 40_000), (script, 60_000)
    tx = shop.node.see(pay(*parts, spends=spent, replaceable=True))
    shop.look()
    market.price = Decimal(5000)
    for _ in range(2):
        shop.later(days=1)
        del shop.node.mempool[tx.id]
        tx = shop.node.see(pay(*parts, spends=spent, replaceable=True))
        shop.look()

    confirm(shop, tx)

    assert shop.open("INV-1") == usd("0.00")
    assert not [text for text in shop.alerts() if "expired" in text]


def test_a_payment_that_was_in_a_block_before_the_quote_expired_was_not_late(
    shop: Shop, market: Market
) -> None:
    # The shop's watching was down for two days.
    payment = shop.ask("INV-1")
    shop.node.mine(pay((shop.script(payment), QUOTED)))
    shop.node.mine()
    shop.later(days=2)
    market.price = Decimal(10000)

    shop.look()

    assert shop.open("INV-1") == usd("0.00")


def test_late_money_waits_until_its_price_is_known(shop: Shop) -> None:
    prices = {"USD": "50000"}
    shop.node.rates = prices
    shop.start(rates={}, rate_servers=[{"url": "https://rates.example/prices"}])
    payment = shop.ask("INV-1")
    shop.later(hours=1)
    shop.node.rates = {}
    confirm(shop, pay((shop.script(payment), QUOTED)))
    assert shop.receipts(payment) == []

    shop.node.rates = {"USD": "25000"}
    shop.later(minutes=2)
    shop.look()

    assert shop.open("INV-1") == usd("25.00")


@pytest.mark.parametrize(
    ("late", "price"),
    [("reprice", "99999999999"), ("credit", "510000"), ("reprice", "4999"), ("credit", "0.01")],
)
def test_late_money_at_a_price_that_cannot_be_waits_for_a_person(
    shop: Shop, market: Market, late: str, price: str
) -> None:
    shop.start(late=late)
    payment = shop.ask("INV-1")
    shop.later(hours=3)
    market.price = Decimal(price)

    confirm(shop, pay((shop.script(payment), QUOTED)))

    assert (shop.open("INV-1"), credit(shop)) == (usd("50.00"), usd("0.00"))
    [receipt] = shop.receipts(payment)
    assert (receipt.amount, receipt.unallocated) == (btc(QUOTED), btc(QUOTED))
    assert shop.payment(payment).needs_review is True
    assert any("price" in text for text in shop.alerts())


def test_how_far_a_price_may_move_is_a_setting(shop: Shop, market: Market) -> None:
    shop.start(rate_factor_max=50)
    payment = shop.ask("INV-1")
    shop.later(hours=3)
    market.price = Decimal(1000)

    confirm(shop, pay((shop.script(payment), QUOTED)))

    assert shop.open("INV-1") == usd("49.00")


def test_late_money_that_is_worth_less_than_a_cent_is_told(shop: Shop, market: Market) -> None:
    payment = shop.ask("INV-1")
    shop.later(hours=3)
    market.price = Decimal(10000)

    confirm(shop, pay((shop.script(payment), 10)))

    assert [text for text in shop.alerts() if "expired" in text]


@pytest.mark.parametrize("price", ["99999999999", "0.01"])
def test_no_quote_is_made_at_a_price_that_cannot_be(shop: Shop, market: Market, price: str) -> None:
    shop.ask("INV-1")
    market.price = Decimal(price)

    refused = shop.ask("INV-2")

    assert (refused.status, refused.code) == (PaymentStatus.FAILED, "unavailable")
    assert refused.retryable is True
    market.price = PRICE
    assert reload(shop, "INV-2").status is PaymentStatus.REQUIRES_ACTION
    # A day later nobody knows what is right, and a price that stays is believed.
    market.price = Decimal(price) * 10
    shop.later(hours=25)
    assert reload(shop, "INV-2", key="later").code != "unavailable"


def test_the_tolerance_is_granted_once(shop: Shop, market: Market) -> None:
    shop.start(tolerance_percent=5)
    payment = shop.ask("INV-1")
    script = shop.script(payment)
    confirm(shop, pay((script, 95_000)))
    shop.later(hours=2)
    market.price = Decimal(40000)

    confirm(shop, pay((script, 5_000)))
    assert shop.payment(payment).received == usd("50.00")

    # 95,000 sat are 47.50 without it, so 15,000 more at 40,000 a bitcoin make 53.50
    confirm(shop, pay((script, 10_000)))
    assert shop.payment(payment).received == usd("53.50")


# --- Two quotes at one address ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("satoshis", "worth"),
    [
        (QUOTED, "50.00"),  # what the first asked for
        (125_000, "50.00"),  # what the second asks for
        (110_000, "55.00"),  # the first is paid, and there is more
        (90_000, "36.00"),  # not enough for either: the second says what it is worth
    ],
)
def test_a_quote_that_was_asked_for_again_is_good_until_it_expires(
    shop: Shop, market: Market, satoshis: int, worth: str
) -> None:
    first = shop.ask("INV-1")
    market.price = Decimal(40000)
    second = reload(shop)
    assert action(second).amount == btc(125_000)

    confirm(shop, pay((shop.script(first), satoshis)))

    assert sum(shop.payment(each).received.minor for each in (first, second)) == usd(worth).minor


def test_a_quote_that_was_asked_for_again_and_has_expired_is_good_no_more(
    shop: Shop, market: Market
) -> None:
    first = shop.ask("INV-1")
    shop.later(minutes=10)
    market.price = Decimal(40000)
    reload(shop)
    shop.later(minutes=10)

    shop.node.see(pay((shop.script(first), QUOTED)))
    shop.look()
    confirm(shop, *shop.node.mempool.values())

    assert shop.open("INV-1") == usd("10.00")


def test_an_amount_that_one_quote_asks_for_pays_that_invoice(shop: Shop) -> None:
    shop.start(address_per="payer")
    first, second = shop.ask("INV-1"), shop.ask("INV-2", "37.50")
    assert action(first).address == action(second).address

    confirm(shop, pay((shop.script(second), 75_000)))
    assert (shop.open("INV-1"), shop.open("INV-2")) == (usd("50.00"), usd("0.00"))

    confirm(shop, pay((shop.script(first), 40_000)))
    confirm(shop, pay((shop.script(first), 60_000)))
    assert shop.open("INV-1") == usd("0.00")


# --- The same coin is worth the same ----------------------------------------------------------


@pytest.mark.parametrize(
    ("tolerance", "satoshis", "worth"), [(1, 99_500, "50.00"), (0, 99_999, "49.99")]
)
def test_money_that_goes_and_comes_back_is_worth_what_it_was(
    shop: Shop, tolerance: int, satoshis: int, worth: str
) -> None:
    shop.start(tolerance_percent=tolerance)
    payment = shop.ask("INV-1")
    tx = pay((shop.script(payment), satoshis))
    confirm(shop, tx)
    for _ in range(2):
        shop.node.reorganise(2, (), (), ())
        shop.look()
        assert shop.open("INV-1") == usd("50.00")
        confirm(shop, tx)

    kinds = [(r.kind, r.amount) for r in shop.receipts(payment)]
    assert kinds == [
        (MovementKind.CHARGE, usd(worth)),
        *[(MovementKind.RETURN, usd(worth)), (MovementKind.CHARGE, usd(worth))] * 2,
    ]
    assert shop.open("INV-1") == usd("50.00") - usd(worth)


def test_money_that_is_gone_does_not_count_for_what_comes_next(shop: Shop) -> None:
    shop.start(tolerance_percent=1)
    payment = shop.ask("INV-1")
    script = shop.script(payment)
    confirm(shop, pay((script, 60_000)))
    shop.node.reorganise(2, (), (), ())
    shop.look()

    confirm(shop, pay((script, 99_100)))

    assert shop.open("INV-1") == usd("0.00")
    assert credit(shop) == usd("0.00")


# --- Satoshis worth less than a cent ----------------------------------------------------------


def test_parts_worth_less_than_a_cent_add_up(shop: Shop) -> None:
    shop.start(hold_from_percent=0)
    payment = shop.ask("INV-1")
    script = shop.script(payment)

    for satoshis in (2, 9, 9):  # 20 satoshi are a cent
        confirm(shop, pay((script, satoshis)))

    assert shop.payment(payment).received == usd("0.01")
    assert [r.quantity for r in shop.receipts(payment)] == [btc(2), btc(9), btc(9)]
    assert [r.amount.minor for r in shop.receipts(payment)] == [0, 0, 1]


def test_a_part_worth_nothing_that_goes_takes_nothing_along(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    tx = pay((shop.script(payment), 3))
    confirm(shop, tx)
    shop.node.reorganise(2, (), (), ())
    shop.look()
    assert [r.kind for r in shop.receipts(payment)] == [MovementKind.CHARGE, MovementKind.RETURN]
    confirm(shop, tx)

    confirm(shop, pay((shop.script(payment), QUOTED - 3)))

    assert shop.payment(payment).status is PaymentStatus.SUCCEEDED
    assert shop.open("INV-1") == usd("0.00")


# --- How much is taken on trust ---------------------------------------------------------------


def test_confirmations_follow_from_all_that_came_to_an_address(shop: Shop) -> None:
    shop.start(confirmations=1, confirmations_from={"0.002": 4})
    payment = shop.ask("INV-1", "300.00")
    script = shop.script(payment)

    confirm(shop, *[pay((script, QUOTED)) for _ in range(6)], blocks=3)
    assert shop.open("INV-1") == usd("300.00")

    shop.node.mine()
    shop.look()
    assert shop.open("INV-1") == usd("0.00")


def test_payments_in_blocks_that_follow_each_other_are_at_risk_together(shop: Shop) -> None:
    shop.start(confirmations=1, confirmations_from={"0.002": 4})
    payment = shop.ask("INV-1", "100.00")
    for _ in range(2):
        shop.node.mine(pay((shop.script(payment), QUOTED)))
        shop.look()
    assert shop.open("INV-1") == usd("50.00")

    shop.node.mine_many(3)
    shop.look()
    assert shop.open("INV-1") == usd("0.00")


def test_unconfirmed_money_of_an_address_is_trusted_up_to_the_limit_in_all(shop: Shop) -> None:
    shop.start(accept_unconfirmed_below="0.002")
    payment = shop.ask("INV-1", "750.00")
    script = shop.script(payment)
    waiting = [shop.node.see(pay((script, 75_000))) for _ in range(20)]
    shop.look()
    assert shop.payment(payment).received == usd("75.00")  # two of them are below 0.002

    # One is confirmed, and another one is trusted in its place.
    trusted = {r.movement_id for r in shop.receipts(payment)}
    done = next(tx for tx in waiting if f"{tx.id}:0" in trusted)
    confirm(shop, done)
    assert shop.payment(payment).received == usd("112.50")


def test_unconfirmed_money_of_the_account_is_trusted_up_to_its_own_limit(shop: Shop) -> None:
    shop.start(accept_unconfirmed_below="0.002", accept_unconfirmed_in_all="0.003")
    payments = [shop.ask(f"INV-{n}", customer=f"C-{n}") for n in range(5)]
    for payment in payments:
        shop.node.see(pay((shop.script(payment), QUOTED)))

    shop.look()

    assert sum(shop.payment(each).received.minor for each in payments) == usd("150.00").minor


def test_an_amount_in_bitcoin_that_one_invoice_asks_for_pays_that_invoice(shop: Shop) -> None:
    shop.start(address_per="payer")
    payments: list[Payment] = []
    for number, satoshis in (("B-1", 90_000), ("B-2", 70_000)):
        shop.cashier.issue(number=number, customer="C-1", total=btc(satoshis), due="2026-12-01")
        payments.append(shop.cashier.collect(number, via="bitcoin", key=number))
    tx = shop.node.see(pay((shop.script(payments[1]), 70_000)))
    shop.look()
    assert [shop.payment(each).seen for each in payments] == [btc(0), btc(70_000)]

    confirm(shop, tx)

    assert (shop.cashier.invoice("B-1").open, shop.cashier.invoice("B-2").open) == (
        btc(90_000),
        btc(0),
    )
