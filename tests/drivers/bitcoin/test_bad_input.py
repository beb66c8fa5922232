"""Nodes that are elsewhere, behind, broken or lying, and settings that cannot be right."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from paygate import Cashier, PaymentStatus
from paygate.dialogue import Request, Response
from paygate.driver import read_json_value
from paygate.drivers.bitcoin import CalledRates, HttpRates, Rate
from paygate.drivers.bitcoin.blocks import named, read_block, read_transaction
from paygate.drivers.bitcoin.rates import PriceRefused, enough, quote
from paygate.errors import (
    BadResponse,
    CredentialsRejected,
    GatewayError,
    NoResponse,
    NotSent,
    Unsupported,
    UsageError,
)
from paygate.testing.play import play
from tests.drivers.bitcoin.conftest import TPUB, Shop, action, btc, settings, usd
from tests.drivers.bitcoin.node import DECOY, OnSimulatedNode, SimulatedNode, Tx, chain, pay


def failing(shop: Shop) -> str:
    """Read the feed, which fails and changes nothing; tell why."""
    read = shop.cashier.read_feeds()
    shop.cashier.apply_callbacks()
    assert read.stored == 0
    return read.failed["bitcoin"]


def told(**facts: Any) -> Callable[[SimulatedNode], None]:
    return lambda node: node.info.update(facts)


def refused(method: str, code: int, message: str) -> Callable[[SimulatedNode], None]:
    return lambda node: node.errors.update({method: {"code": code, "message": message}})


def answering(status: int) -> Callable[[SimulatedNode], None]:
    return lambda node: setattr(node, "status", status)


def break_off(node: SimulatedNode) -> None:
    node.blocks[-1] = type(node.blocks[-1])(node.blocks[-1].raw[:-3], "")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (told(chain="main"), "network 'main'"),
        (told(pruned=True, pruneheight=121), "rescan --from 121"),
        (told(blocks=-1), "impossible block height"),
        (told(blocks=1.5), "an impossible block height"),
        (told(bestblockhash="00"), "gives '00' as result.bestblockhash"),
        (answering(401), "user and password"),
        (answering(503), "expected JSON"),
        (refused("getblockchaininfo", -28, "Loading block index"), "starting"),
        (refused("getblock", -1, "Block not available (pruned data)"), "pruned"),
        (refused("getblockhash", -5, "Block not found"), "Block not found"),
        (break_off, "that is incomplete"),
    ],
)
def test_what_is_wrong_with_a_node_is_said_and_nothing_changes(
    shop: Shop, spoil: Callable[[SimulatedNode], None], says: str
) -> None:
    shop.start(blocks_per_page=500)
    shop.look()
    payment = shop.ask("INV-1")
    shop.node.mine(pay((shop.script(payment), 100_000)))
    shop.node.mine_many(2)
    spoil(shop.node)

    assert says in failing(shop)
    assert shop.payment(payment).status is PaymentStatus.REQUIRES_ACTION


def test_a_node_that_is_catching_up_is_not_believed_on_the_main_chain(tmp_path: Path) -> None:
    node = chain(3, "main")
    node.info.update(initialblockdownload=True, headers=900_000)
    xpub = (
        "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECo"
        "Y49yfdDEHGCtMMj92pReUsQ"
    )
    gateway = OnSimulatedNode(settings(network="main", wallet=f"tr({xpub}/0/*)"), node)
    with Cashier.open(
        f"sqlite:///{tmp_path / 'live.db'}", gateways={"bitcoin": gateway}
    ) as cashier:
        assert "catching up: block 2 of 900000" in cashier.read_feeds().failed["bitcoin"]


def test_a_node_that_went_back_is_waited_for(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    shop.node.mine(pay((shop.script(payment), 100_000)))
    shop.node.mine_many(3)
    shop.look()

    taken = shop.node.reorganise(2)
    assert "behind" in failing(shop)
    assert shop.open("INV-1") == usd("0.00")

    shop.node.blocks += taken
    shop.node.mine()
    shop.look()
    assert len(shop.receipts(payment)) == 1


def test_another_chain_altogether_changes_nothing(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    shop.node.mine(pay((shop.script(payment), 100_000)))
    shop.node.mine()
    shop.look()

    shop.node.blocks = chain(300).blocks
    assert "another chain" in failing(shop)
    assert shop.open("INV-1") == usd("0.00")


def test_more_bitcoin_than_there_can_be_is_not_booked(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    shop.start(blocks_per_page=500)
    shop.node.mine(pay((shop.script(payment), 21 * 10**14 + 1)))

    assert "more bitcoin" in failing(shop)


def test_a_block_that_was_not_asked_for_is_refused(shop: Shop) -> None:
    shop.start(blocks_per_page=500)
    other = shop.node.blocks[50]
    shop.node.blocks[60] = type(other)(other.raw, other.previous)
    node = shop.node

    def lying(request: Request) -> Response:
        answer = SimulatedNode.answer(node, request)
        if request.step == "getblock":
            body = json.loads(answer.body)
            body["result"] = node.blocks[3].raw.hex()
            return Response(status=200, body=json.dumps(body).encode())
        return answer

    shop.gateway.answer = lying  # type: ignore[method-assign]
    assert "another block" in failing(shop)


def test_the_cookie_is_read_again_for_every_request(shop: Shop, tmp_path: Path) -> None:
    cookie = tmp_path / ".cookie"
    shop.start(cookie_file=cookie)
    sent: list[str] = []
    node = shop.node

    def noting(request: Request) -> Response:
        sent.append(request.headers["Authorization"])
        return node.answer(request)

    shop.gateway.answer = noting  # type: ignore[method-assign]
    assert "is the node running" in _fault(shop)
    for secret in ("one", "two"):
        cookie.write_text(f"__cookie__:{secret}")
        shop.look()

    assert len(set(sent)) == 2


@pytest.mark.parametrize(
    "text", ["root:x:0:0:root:/root:/bin/sh\n", "__cookie__:a\nsecond line", "", "shop:password"]
)
def test_a_file_that_is_no_cookie_is_not_sent(shop: Shop, tmp_path: Path, text: str) -> None:
    file = tmp_path / "passwd"
    file.write_text(text)
    shop.start(cookie_file=file)
    sent: list[Request] = []
    shop.gateway.answer = sent.append  # type: ignore[method-assign, assignment]

    said = _fault(shop)

    assert sent == []
    assert "is not the cookie of a node" in said
    assert not text or text not in said


def _fault(shop: Shop) -> str:
    try:
        return failing(shop)
    except UsageError as error:
        return error.message


# --- Bytes ------------------------------------------------------------------------------------


@given(st.binary(max_size=400))
def test_bytes_that_are_no_block_raise_nothing_but_a_bad_reply(data: bytes) -> None:
    for read in (read_block, read_transaction):
        with suppress(BadResponse):
            read(data, {}, frozenset())


@given(st.integers(0, 400), st.data())
def test_a_block_that_was_cut_or_changed_is_noticed_or_harmless(
    at: int, data: st.DataObject
) -> None:
    raw = chain(1).mine(pay((DECOY, 7)), pay((DECOY, 8), segwit=False)).raw
    cut = raw[: at % len(raw)]
    with pytest.raises(BadResponse):
        read_block(cut, {}, frozenset())
    changed = bytearray(raw)
    changed[at % len(raw)] ^= data.draw(st.integers(1, 255))
    with suppress(BadResponse):
        # What is left of it is another block's header.
        assert read_block(bytes(changed), {DECOY: 1}, frozenset()).hash != named(raw[:80])


def _added(header: bytes, first: Tx, others: list[Tx]) -> bytes:
    return header + b"\x04" + b"".join(tx.raw for tx in (first, *others, pay((DECOY, 9))))


def _left_out(header: bytes, first: Tx, others: list[Tx]) -> bytes:
    return header + b"\x02" + first.raw + others[0].raw


def _repeated(header: bytes, first: Tx, others: list[Tx]) -> bytes:
    return header + b"\x04" + b"".join(tx.raw for tx in (first, *others, others[-1]))


def _another_witness(header: bytes, first: Tx, others: list[Tx]) -> bytes:
    changed = others[0].raw.replace(b"\x30" * 71, b"\x31" * 71)
    return header + b"\x03" + first.raw + changed + others[1].raw


def _without_witness(header: bytes, first: Tx, others: list[Tx]) -> bytes:
    return header + b"\x03" + first.raw + others[0].stripped + others[1].raw


@pytest.mark.parametrize(
    "forge", [_added, _left_out, _repeated, _another_witness, _without_witness]
)
def test_transactions_that_are_not_those_of_the_header_are_refused(
    shop: Shop, forge: Callable[[bytes, Tx, list[Tx]], bytes]
) -> None:
    shop.start(blocks_per_page=500)
    shop.look()
    payment = shop.ask("INV-1")
    others = [pay((shop.script(payment), 100_000)), pay((DECOY, 5), segwit=False)]
    true = shop.node.mine(*others)
    [first] = [tx for tx in shop.node.inside if tx not in others]
    shop.node.mine()
    forged = forge(true.raw[:80], first, others)
    assert forged != true.raw
    shop.node.blocks[-2] = type(true)(forged, true.previous)

    assert "do not match its header" in failing(shop)

    shop.node.blocks[-2] = true
    shop.look()
    assert shop.open("INV-1") == usd("0.00")


def test_a_transaction_is_named_without_its_witness() -> None:
    tx = pay((DECOY, 7), (b"\x51", 9), (DECOY, 3))
    found = read_transaction(tx.raw, {DECOY: 5}, frozenset())

    assert found is not None
    assert found.id == tx.id != named(tx.raw)
    assert [(p.output, p.satoshis, p.place) for p in found.payments] == [(0, 7, 5), (2, 3, 5)]
    [spent] = found.spends
    assert spent in tx.raw
    assert len(spent) == 36
    assert read_transaction(tx.raw, {}, {spent}) is not None
    assert read_transaction(tx.raw, {}, frozenset()) is None


def test_a_transaction_with_many_outputs_and_a_long_script_is_read_whole() -> None:
    tx = pay(*[(b"\x6a" * 600, 1)] * 300, (DECOY, 5), segwit=False)
    found = read_transaction(tx.raw, {DECOY: 0}, frozenset())

    assert found is not None
    assert [p.output for p in found.payments] == [300]
    assert found.id == tx.id


# --- Rates and quotes -------------------------------------------------------------------------


def test_a_quote_is_rounded_up_to_a_satoshi_with_the_spread_in_it() -> None:
    rate = Rate(Decimal("65432.10"), "test")

    assert quote(usd("25.44"), rate, Decimal(0)) == btc(38_880)
    assert quote(usd("25.44"), rate, Decimal("2.5")) == btc(39_877)
    assert quote(usd("0.01"), Rate(Decimal(10**9), "test"), Decimal(0)) == btc(1)


@given(st.integers(1, 10**12), st.decimals("0.01", "999999999", places=2), st.integers(0, 9900))
def test_a_quote_is_never_less_than_the_amount_and_less_than_a_satoshi_more(
    cents: int, price: Decimal, spread: int
) -> None:
    from fractions import Fraction

    from paygate import Money

    percent = Decimal(spread) / 100
    exact = Fraction(cents, 100) / (Fraction(price) * (1 - Fraction(percent) / 100)) * 10**8

    if exact <= 21 * 10**14:
        asked = quote(Money("USD", cents), Rate(price, "test"), percent)
        assert exact <= asked.minor < exact + 1
    else:
        with pytest.raises(PriceRefused):
            quote(Money("USD", cents), Rate(price, "test"), percent)


def test_within_tolerance_is_rounded_in_our_favour() -> None:
    assert enough(btc(1000), Decimal("0.05")) == btc(1000)
    assert enough(btc(1000), Decimal("0.1")) == btc(999)


def test_a_key_in_the_address_of_a_price_server_is_not_shown() -> None:
    source = HttpRates("https://rates.example/prices?key=rates-7Hq2Bv")

    assert "7Hq2Bv" not in repr(source)


@pytest.mark.parametrize(
    ("body", "path", "price"),
    [
        (b'{"USD": 65432.1, "EUR": 1}', "{currency}", "65432.1"),
        (b'{"USD": "65432.10"}', "{currency}", "65432.10"),
        (b'{"data": [{"last": {"USD": 1}}]}', "data.0.last.{currency}", "1"),
    ],
)
def test_a_price_is_read_without_a_float(body: bytes, path: str, price: str) -> None:
    source = HttpRates("https://rates.example/{currency}", path)
    asked: list[Request] = []
    dialogue = source.rate("USD", None)
    asked.append(next(dialogue))  # type: ignore[arg-type]
    with pytest.raises(StopIteration) as end:
        dialogue.send(Response(status=200, body=body))

    assert asked[0].url == "https://rates.example/USD"
    assert not asked[0].moves_money
    assert end.value.value == Rate(Decimal(price), "rates.example")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"EUR": 1}',
        b'{"USD": null}',
        b'{"USD": true}',
        b'{"USD": "much"}',
        b'{"USD": 0}',
        b'{"USD": -3}',
        b'{"USD": NaN}',
        b'{"USD": Infinity}',
        b'{"USD": 1e99}',
        b'{"USD": "6_0000"}',
        b'{"USD": "\xd9\xa5\xd9\xa0\xd9\xa0\xd9\xa0\xd9\xa0"}',
    ],
)
def test_what_is_no_price_makes_no_quote(shop: Shop, body: bytes) -> None:
    shop.start(rates={}, rate_servers=[{"url": "http://127.0.0.1:1/prices"}])

    def priced(request: Request) -> Response:
        return Response(status=200, body=body)

    shop.gateway.answer = priced  # type: ignore[method-assign]
    payment = shop.ask("INV-1")

    assert payment.status is PaymentStatus.FAILED
    assert shop.open("INV-1") == usd("50.00")


class Servers:
    """Two servers that publish prices, of which each may be down, and a shop that reads them."""

    def __init__(self, shop: Shop, **more: Any) -> None:
        self.prices: dict[str, dict[str, Any]] = {"one.example": {}, "two.example": {}}
        self.asked: list[str] = []
        servers = [
            {"url": f"https://{host}/{{currency}}", "path": "price", "time_path": "at"}
            for host in self.prices
        ]
        shop.start(rates={}, rate_servers=servers, **more)
        shop.gateway.answer = self.answer  # type: ignore[method-assign]
        self.shop = shop

    def answer(self, request: Request) -> Response:
        if request.step != "rate":
            return self.shop.node.answer(request)
        host = request.url.split("/")[2]
        self.asked.append(host)
        if not self.prices[host]:
            return Response(status=503, body=b"")
        at = self.shop.clock.now().timestamp() - 30
        return Response(status=200, body=json.dumps({"at": int(at)} | self.prices[host]).encode())

    def ask(self, number: str) -> str:
        """Ask for 50 dollars, and tell in satoshi what is asked for, or how that failed."""
        payment = self.shop.ask(number, customer=number)
        if payment.status is PaymentStatus.FAILED:
            return f"{payment.code}, retryable {payment.retryable}"
        return str(action(payment).amount.minor)


@pytest.mark.parametrize("price", [7, 0.02, 900_000, 1e-8])
def test_a_price_out_of_bounds_is_refused_and_the_next_server_asked(
    shop: Shop, price: float
) -> None:
    servers = Servers(shop, rate_min={"USD": 20_000}, rate_max={"USD": 500_000})
    servers.prices["one.example"] = {"price": price}
    assert servers.ask("INV-1") == "unavailable, retryable True"

    servers.prices["two.example"] = {"price": "50000"}
    assert servers.ask("INV-2") == "100000"
    assert servers.asked == ["one.example", "two.example"] * 2


def test_a_price_that_would_ask_for_more_than_there_is_is_no_fault_of_the_payer(
    shop: Shop,
) -> None:
    servers = Servers(shop)
    servers.prices["one.example"] = {"price": "0.00000001"}

    assert servers.ask("INV-1") == "unavailable, retryable True"


@pytest.mark.parametrize("at", [7 * 86_400, -7 * 86_400])
def test_a_price_of_another_time_is_refused(shop: Shop, at: int) -> None:
    servers = Servers(shop)
    then = int(shop.clock.now().timestamp()) - at
    servers.prices["one.example"] = {"price": 50_000, "at": then}

    assert servers.ask("INV-1") == "unavailable, retryable True"


def test_a_price_is_kept_for_seconds_and_for_minutes_while_nobody_gives_one(shop: Shop) -> None:
    servers = Servers(shop)
    servers.prices["one.example"] = {"price": 50_000}
    assert [servers.ask("INV-1"), servers.ask("INV-2")] == ["100000", "100000"]
    assert servers.asked == ["one.example"]

    servers.prices["one.example"] = {}
    shop.later(minutes=9)
    assert servers.ask("INV-3") == "100000"
    shop.later(minutes=2)
    assert servers.ask("INV-4") == "unavailable, retryable True"


@pytest.mark.parametrize("fault", [NotSent("refused"), NoResponse("closed")])
def test_the_only_server_that_does_not_answer_is_no_fault_of_the_payer(
    shop: Shop, fault: GatewayError
) -> None:
    shop.start(rates={}, rate_servers=[{"url": "https://one.example"}])

    def fail(request: Request) -> Response:
        raise fault

    shop.gateway.answer = fail  # type: ignore[method-assign]
    payment = shop.ask("INV-1")

    assert (payment.status, payment.code, payment.retryable) == ("failed", "unavailable", True)
    assert shop.open("INV-1") == usd("50.00")


def test_a_node_that_does_not_take_the_password_is_named_by_check_and_status(shop: Shop) -> None:
    answering(401)(shop.node)

    with pytest.raises(CredentialsRejected, match="refuses our user and password"):
        shop.cashier.check("bitcoin")

    assert [each.name for each in shop.cashier.status().concerns] == ["credentials-rejected"]


def test_a_refund_that_no_node_can_send_is_recorded(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    shop.node.mine(pay((shop.script(payment), 100_000)))
    for _ in range(3):
        shop.node.mine()
    shop.look()

    with pytest.raises(Unsupported, match="record_refund"):
        shop.cashier.refund(payment, key="r")

    shop.cashier.record_refund(payment, by="bitcoin", reference="tx 7", key="r-2")
    assert shop.payment(payment).returned == usd("50.00")


def test_a_host_that_returns_a_float_is_told(tmp_path: Path) -> None:
    rates = CalledRates(lambda _: 50000.0)  # type: ignore[arg-type,return-value]
    shop = Shop(tmp_path, rates=rates)
    with pytest.raises(UsageError, match="not float"):
        rates.rate("USD", None)
    shop.close()


def test_prices_come_from_a_server_or_the_host(tmp_path: Path) -> None:
    shop = Shop(tmp_path, rates=CalledRates(lambda _: Decimal(25000)))
    assert action(shop.ask("A")).amount == btc(200_000)
    shop.rates = None
    shop.node.rates = {"USD": 100000.0}
    shop.start(rates={}, rate_servers=[{"url": "http://127.0.0.1:1/prices"}])
    assert action(shop.ask("B")).amount == btc(50_000)
    shop.close()


def test_an_amount_below_what_is_taken_is_refused_before_the_payer_sees_it(shop: Shop) -> None:
    payment = shop.ask("INV-1", "0.40")

    assert payment.status is PaymentStatus.FAILED
    assert "800 satoshi" in payment.reason


@pytest.mark.parametrize(
    "body", [b"1.5e400000000000000000000", b"{", b"\xff", b"[" * 100_000, b"NaN"]
)
def test_foreign_json_raises_nothing_but_a_bad_reply(body: bytes) -> None:
    with suppress(BadResponse):
        assert not isinstance(read_json_value(body, "node", exact=True).value(), float)


# --- Settings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"wallet": f"wpkh({TPUB}/0h/*)"}, "hardened"),
        ({"network": "main"}, "test network"),
        ({"wallet": TPUB}, "does not say"),
        ({"url": "http://node.example:8332"}, "private network"),
        ({"url": "http://8.8.8.8:8332"}, "private network"),
        ({"url": "http://user:pass@127.0.0.1"}, "without user"),
        ({"minimum_satoshis": 200}, "294"),
        ({"rates": {"USD": "-1"}}, "positive"),
        ({"rates": {"XYZ": "1"}}, "ISO 4217"),
        ({"rate_servers": [{"url": "https://rates.example"}]}, "not both"),
        ({"rate_min": {"USD": 2}, "rate_max": {"USD": 1}}, "no price would do"),
        ({"cookie_file": "/x", "user": "u"}, "not both"),
        ({"user": "u", "password": None, "cookie_file": None}, "needs a password"),
        ({"url": "127.0.0.1:8332"}, "begins with http"),
        ({"url": "node:8332"}, "begins with http"),
        ({"confirmations": 0}, "greater"),
        ({"confirmations_from": {"1": 0}}, "1 to 100"),
        ({"colour": "red"}, "Extra"),
    ],
)
def test_settings_that_cannot_be_right_are_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says) as caught:
        settings(**given)

    assert TPUB not in str(caught.value)


# --- Esplora ----------------------------------------------------------------------------------


def test_esplora_tells_the_same_story(shop: Shop) -> None:
    shop.start(backend="esplora", url="http://127.0.0.1:3000/api", mempool=True)
    payment = shop.ask("INV-1")
    tx = shop.node.see(pay((shop.script(payment), 100_000)))
    shop.look()
    assert shop.payment(payment).status is PaymentStatus.PROCESSING

    shop.node.mine(tx)
    shop.node.mine()
    shop.look()
    assert shop.open("INV-1") == usd("0.00")

    shop.node.reorganise(2, (), (), ())
    shop.look()
    assert shop.open("INV-1") == usd("50.00")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda node: setattr(node, "network", "main"), "not on network"),
        (answering(429), "too many"),
        (answering(500), "status 500"),
    ],
)
def test_what_is_wrong_with_an_esplora_server_is_said(
    shop: Shop, spoil: Callable[[SimulatedNode], None], says: str
) -> None:
    shop.start(backend="esplora", url="http://127.0.0.1:3000/api", mempool=True)
    spoil(shop.node)

    assert says in failing(shop)


# --- Numbers ----------------------------------------------------------------------------------


def test_two_processes_never_give_the_same_address_to_two_payers(tmp_path: Path) -> None:
    shops = [Shop(tmp_path), Shop(tmp_path)]
    told: list[str] = []

    def serve(shop: Shop, who: int) -> None:
        for n in range(15):
            told.append(action(shop.ask(f"INV-{who}-{n}", customer=f"C-{who}")).address)  # noqa: PERF401

    threads = [Thread(target=serve, args=(shop, who)) for who, shop in enumerate(shops)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    wallet = shops[0].gateway.wallet
    assert sorted(told) == sorted(wallet.address(n) for n in range(30))
    for shop in shops:
        shop.close()


def test_two_tenants_of_one_wallet_share_no_address_and_no_news(tmp_path: Path) -> None:
    node, url = chain(10), f"sqlite:///{tmp_path / 'both.db'}"
    gateway = OnSimulatedNode(settings(), node)
    first = Cashier.open(url, gateways={"bitcoin": gateway}, tenant="one")
    second = Cashier.open(url, gateways={"bitcoin": gateway}, tenant="two")
    for cashier in (first, second):
        cashier.issue(number="A", customer="C", total=usd("50.00"), due="2026-12-01")
    payments = [c.collect("A", via="bitcoin", key="A") for c in (first, second)]
    assert action(payments[0]).address != action(payments[1]).address

    node.mine(pay((gateway.wallet.script(0), 100_000)))
    node.mine()
    for cashier in (first, second):
        cashier.read_feeds()
        cashier.apply_callbacks()

    assert first.invoice("A").open == usd("0.00")
    assert second.invoice("A").open == usd("50.00")
    assert second.callbacks() == []
    first.close()
    second.close()


def test_a_charge_without_a_number_is_refused() -> None:
    from tests.drivers.stripe.conftest import charge

    gateway = OnSimulatedNode(settings(), chain(1))
    with pytest.raises(UsageError, match="number"):
        play(gateway.charge(charge()))
