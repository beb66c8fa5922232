"""What is remembered between two looks: as little as changes, and enough for any other process."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paygate import Payment, PaymentStatus
from paygate.domain.movement import MovementKind
from paygate.drivers.bitcoin import gateway
from paygate.drivers.bitcoin.descriptors import Wallet
from paygate.drivers.bitcoin.waiting import Waiting, short
from paygate.testing import FakeClock
from tests.drivers.bitcoin.conftest import AHEAD, TPUB, Shop, usd
from tests.drivers.bitcoin.node import DECOY, SimulatedNode, Tx, chain, pay
from tests.service.world import Doomed, PowerCut

QUOTED = 100_000  # 50 dollars at 50,000 a bitcoin


def crowd(node: SimulatedNode, number: int) -> None:
    """Let so many transactions of others wait at the node."""
    for _ in range(number):
        node.see(pay((DECOY, 7)))


def last(make: Callable[[], Tx]) -> Tx:
    """Make a transaction whose name comes after those of nearly all others."""
    while not (tx := make()).id.startswith("ff"):
        pass
    return tx


# --- Transactions that wait -------------------------------------------------------------------


def _recover(shop: Shop) -> None:
    shop.start(feed_pause=timedelta(0))
    shop.cashier.recover()


def _look_at_a_server(shop: Shop) -> None:
    shop.start(backend="esplora", url="http://127.0.0.1:3000/api", mempool=True)
    shop.look()


def _look(shop: Shop) -> None:
    shop.start()
    shop.look()


@pytest.mark.parametrize("look", [_recover, _look, _look_at_a_server])
def test_a_payment_among_more_than_a_page_that_wait_is_seen_at_the_first_look(
    shop: Shop, look: Callable[[Shop], None]
) -> None:
    shop.transactions_per_page = 100
    payment = shop.ask("INV-1")
    shop.look()
    crowd(shop.node, 250)
    script = shop.script(payment)
    shop.node.see(last(lambda: pay((script, QUOTED))))

    look(shop)

    assert shop.payment(payment).status is PaymentStatus.PROCESSING


def test_another_process_reads_only_what_has_come_since(shop: Shop) -> None:
    crowd(shop.node, 120)
    shop.look()
    shop.node.asked.clear()

    _look(shop)
    assert "transactions" not in shop.node.asked
    crowd(shop.node, 3)
    _look(shop)
    assert shop.node.asked.count("transactions") == 1


def test_a_transaction_that_the_node_did_not_give_is_asked_for_again(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    shop.node.see(pay((shop.script(payment), QUOTED)))
    shop.node.errors["getrawtransaction"] = {"code": -5, "message": "No such mempool transaction"}
    shop.look()
    assert shop.payment(payment).status is PaymentStatus.REQUIRES_ACTION

    shop.node.errors.clear()
    _look(shop)

    assert shop.payment(payment).status is PaymentStatus.PROCESSING


def test_a_transaction_that_left_is_read_again_when_it_comes_back(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    crowd(shop.node, 100)
    shop.look()
    spent = "ab" * 32 + ":1"
    rival = shop.node.see(pay((DECOY, QUOTED), spends=spent))
    shop.look()

    del shop.node.mempool[rival.id]
    ours = shop.node.see(pay((shop.script(payment), QUOTED), spends=spent))
    shop.look()
    assert shop.payment(payment).status is PaymentStatus.PROCESSING
    del shop.node.mempool[ours.id]
    shop.node.see(rival)
    shop.look()

    assert shop.payment(payment).status is PaymentStatus.DECLINED


NAMES = st.sets(st.integers(0, 300).map(lambda n: short(f"{n:016x}")), max_size=20)


@given(st.lists(NAMES, max_size=40))
def test_whatever_waits_it_is_known_what_was_read(looks: list[set[bytes]]) -> None:
    memory: dict[str, bytes] = {}
    for read in looks:
        _store(memory, Waiting(memory).become(read))
        assert Waiting(memory).read == read
        assert len(memory) <= 33


def test_what_a_look_writes_grows_with_what_is_new() -> None:
    names = [short(f"{n:016x}") for n in range(7_000)]
    memory: dict[str, bytes] = {}
    written: list[int] = []
    for look in range(100):
        read = frozenset(names[20 * look : 5_000 + 20 * look])
        changes = Waiting(memory).become(read)
        written.append(sum(len(value) for value in changes.values() if value))
        _store(memory, changes)

    assert written[0] == 8 * 5_000
    assert sorted(written)[95] == 8 * 40  # all looks but a few: 20 that came and 20 that left
    assert sum(written[1:]) < 4 * written[0]


def _store(memory: dict[str, bytes], changes: Mapping[str, bytes | None]) -> None:
    for name, value in changes.items():
        if value is None:
            del memory[name]
        else:
            memory[name] = value


# --- Rows and a position -----------------------------------------------------------------------


def memory_of(shop: Shop) -> dict[str, bytes]:
    with closing(sqlite3.connect(shop.folder / "ledger.db")) as ledger:
        return dict(ledger.execute("SELECT name, value FROM paygate_feed_memory"))


def cursor_of(shop: Shop) -> str:
    with closing(sqlite3.connect(shop.folder / "ledger.db")) as ledger:
        [[cursor]] = ledger.execute("SELECT cursor FROM paygate_feed")
    return str(cursor)


def test_a_look_writes_what_has_changed_and_moves_a_position(shop: Shop) -> None:
    scripts = [shop.gateway.wallet.script(n % 50) for n in range(60)]
    inputs = [f"{n:064x}:{n}" for n in range(1, 50)]
    shop.node.mine(pay(*((script, 5_000) for script in scripts), also_spends=inputs))
    shop.node.mine_many(2)
    shop.look()
    shop.look()  # the wallet is known to reach further now, and so are its scripts
    before = memory_of(shop)

    shop.node.mine()
    shop.look()

    after = memory_of(shop)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert sum(name.startswith("coin ") for name in after) == 60
    assert [len(after[name]) for name in after if name.startswith("spends ")] == [50 * 36]
    assert changed == {f"block {shop.node.height}", f"block {shop.node.height - 100}"}
    assert len(cursor_of(shop)) < 100


def test_what_is_beyond_all_doubt_is_forgotten(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    shop.node.mine(pay((shop.script(payment), QUOTED)))
    shop.look()
    shop.node.mine_many(150)
    shop.look()

    kinds = [name.partition(" ")[0] for name in memory_of(shop)]
    assert shop.open("INV-1") == usd("0.00")
    assert (kinds.count("block"), set(kinds)) == (100, {"block", "scripts"})


# --- Scripts -----------------------------------------------------------------------------------


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watch as many addresses ahead as in earnest."""
    monkeypatch.setattr(gateway, "AHEAD", AHEAD)


def test_a_script_is_derived_once_whatever_process_reads(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    derived: list[int] = []
    derive = Wallet.script

    def noting(self: Wallet, number: int) -> bytes:
        derived.append(number)
        return derive(self, number)

    monkeypatch.setattr(Wallet, "script", noting)
    for _ in range(3):
        _look(shop)
    payment = shop.ask("INV-1")
    _look(shop)

    assert len(derived) == len(set(derived)) <= 2_000
    shop.node.mine(pay((derive(shop.gateway.wallet, 0), QUOTED)))
    shop.node.mine()
    _look(shop)
    assert shop.payment(payment).status is PaymentStatus.SUCCEEDED
    assert len(derived) == len(set(derived))


@pytest.mark.usefixtures("ahead")
def test_scripts_of_a_page_that_was_not_kept_are_kept_with_the_next(shop: Shop) -> None:
    shop.node.status = 503
    assert "bitcoin" in shop.cashier.read_feeds().failed
    shop.node.status = 200
    shop.node.errors["getblockhash"] = {"code": -1, "message": "not now"}
    assert "bitcoin" in shop.cashier.read_feeds().failed
    shop.node.errors.clear()

    shop.look()

    wallet = shop.gateway.wallet
    kept = {name: row for name, row in memory_of(shop).items() if name.startswith("scripts ")}
    assert kept["scripts 0"] == b"".join(wallet.script(n) for n in range(1000))


@pytest.mark.usefixtures("ahead")
def test_every_address_given_away_is_watched_and_a_thousand_more(shop: Shop) -> None:
    _allot(shop, 4_321)
    _look(shop)

    wallet = shop.gateway.wallet
    for number in (0, 4_320, 5_320):
        shop.node.mine(pay((wallet.script(number), 5_000)))
    _look(shop)

    coins = [name for name in memory_of(shop) if name.startswith("coin ")]
    assert len(coins) == 3
    assert shop.cashier.addresses("bitcoin").reached == 5_320


def _allot(shop: Shop, count: int) -> None:
    shop.ask("FIRST")
    with closing(sqlite3.connect(shop.folder / "ledger.db")) as ledger, ledger:
        ledger.execute("UPDATE paygate_address_count SET allotted = ?", [count])


def test_another_wallet_at_the_same_account_is_not_watched_for_the_first(shop: Shop) -> None:
    payment = shop.ask("INV-1")
    shop.node.see(pay((shop.script(payment), QUOTED)))
    shop.look()
    script = shop.script(payment)
    shop.start(wallet=f"wpkh({TPUB}/1/*)")
    shop.node.mine(*shop.node.mempool.values())

    read = shop.cashier.read_feeds()

    assert "add another account" in read.failed["bitcoin"]
    assert read.stored == 0
    shop.start(wallet=f"wpkh({TPUB}/0/*)")
    shop.node.mine(pay((script, 5_000)))
    shop.look()
    assert shop.payment(payment).status is PaymentStatus.SUCCEEDED


# --- However the reading is split -------------------------------------------------------------

OURS, _THEIRS, NEITHER = range(3)
"""Which of two transactions that spend the same coin is meant: one pays us, the other does not."""
INVOICES = 3

STEPS = st.one_of(
    st.tuples(st.just("wait"), st.integers(0, INVOICES - 1), st.sampled_from([0, 1, 2])),
    st.tuples(st.just("mine"), st.sets(st.integers(0, INVOICES - 1)), st.integers(1, 4)),
    st.tuples(
        st.just("change"),
        st.integers(1, 4),
        st.lists(st.sampled_from([0, 1, 2]), min_size=INVOICES, max_size=INVOICES),
    ),
)


class World:
    """A node at which, for each invoice, one of two transactions waits or is in a block."""

    def __init__(self) -> None:
        self.node = chain(12)
        self.pairs: list[tuple[Tx, Tx]] = []
        self.mined: list[tuple[int, Tx]] = []

    def offer(self, script: bytes) -> None:
        spends = f"{len(self.pairs) + 1:02x}" * 32 + ":0"
        self.pairs.append((pay((script, QUOTED), spends=spends), pay((DECOY, 9), spends=spends)))

    def do(self, step: tuple[Any, ...]) -> None:
        kind, first, second = step
        if kind == "wait" and not self._height_of(first):
            self._wait(first, second)
        elif kind == "mine":
            now = [tx for n in sorted(first) for tx in self.pairs[n] if tx.id in self.node.mempool]
            self.node.mine(*now)
            self.mined += [(self.node.height, tx) for tx in now]
            self.node.mine_many(second - 1)
        elif kind == "change":
            self._change(first, second)

    def _change(self, depth: int, choices: list[int]) -> None:
        """Replace the last blocks by one more: what was in them is mined, waits, or is undone."""
        fork = self.node.height - depth
        lost = {n for n in range(INVOICES) if self._height_of(n) > fork}
        self.mined = [(height, tx) for height, tx in self.mined if height <= fork]
        inside = [self.pairs[n][choices[n]] for n in lost if choices[n] != NEITHER]
        self.node.reorganise(depth, tuple(inside), *[()] * depth)
        self.mined += [(fork + 1, tx) for tx in inside]
        for n in lost:
            if choices[n] == NEITHER:
                self._wait(n, OURS)

    def _wait(self, n: int, which: int) -> None:
        for tx in self.pairs[n]:
            self.node.mempool.pop(tx.id, None)
        if which != NEITHER:
            self.node.see(self.pairs[n][which])

    def _height_of(self, n: int) -> int:
        return max((height for height, tx in self.mined if tx in self.pairs[n]), default=0)


class Books:
    """A shop at the node, and what its ledger says in the end."""

    def __init__(self, folder: Path, world: World, **more: Any) -> None:
        folder.mkdir()
        self.shop = Shop(folder, node=world.node, clock=FakeClock(), **more)
        self.payments: list[Payment] = []

    def ask(self) -> list[bytes]:
        self.payments = [self.shop.ask(f"INV-{n}", customer=f"C-{n}") for n in range(INVOICES)]
        return [self.shop.script(payment) for payment in self.payments]

    def say(self) -> list[object]:
        return [
            (
                self.shop.payment(payment).status,
                self.shop.open(f"INV-{n}"),
                [(r.kind, r.movement_id, r.amount) for r in self.shop.receipts(payment)],
            )
            for n, payment in enumerate(self.payments)
        ]


def _look_with_deaths(
    shop: Shop, deaths: list[tuple[int, bool]], per_page: tuple[int, int]
) -> None:
    """Look, by processes that die at these steps and by one that does not, at so much a page."""
    blocks, shop.transactions_per_page = per_page
    for at, lost in [*deaths, (0, False)]:
        shop.start(Doomed, blocks_per_page=blocks)
        doomed = shop.cashier
        assert isinstance(doomed, Doomed)
        doomed.steps, doomed.dies_at, doomed.lost = [], at, lost
        try:
            shop.look()
        except PowerCut:
            shop.later(minutes=6)  # until nobody waits for the dead one any more


@settings(max_examples=5 if settings().max_examples < 1_000 else 250, deadline=None)
@given(
    st.lists(
        st.tuples(STEPS, st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=3)),
        min_size=1,
        max_size=7,
    ),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_however_a_reading_is_split_or_dies_the_books_are_those_of_one_that_was_not(
    steps: list[tuple[Any, list[tuple[int, bool]]]], per_page: tuple[int, int]
) -> None:
    with TemporaryDirectory() as folder:
        world = World()
        whole, split = Books(Path(folder) / "whole", world), Books(Path(folder) / "split", world)
        for script in whole.ask():
            world.offer(script)
        assert split.ask() == [whole.shop.script(payment) for payment in whole.payments]
        crowd(world.node, 4)
        for step, deaths in steps:
            world.do(step)
            whole.shop.look()
            _look_with_deaths(split.shop, deaths, per_page)
        assert split.say() == whole.say()
        for books in (whole, split):
            assert books.shop.cashier.fsck() == []
            books.shop.close()


@pytest.mark.parametrize("lost", [False, True])
def test_whichever_step_a_reader_dies_at_the_money_is_booked_once(
    tmp_path: Path, *, lost: bool
) -> None:
    first = Shop(tmp_path, chain(12))
    payment = first.ask("INV-1")
    first.look()
    tx = pay((first.script(payment), QUOTED))
    first.node.mine(tx)
    first.node.mine()
    crowd(first.node, 3)
    first.close()
    at, died = 0, True
    while died:
        at += 1
        folder = tmp_path / str(at)
        folder.mkdir()
        shutil.copy(tmp_path / "ledger.db", folder)
        shop = Shop(folder, first.node, transactions_per_page=2)
        shop.start(Doomed)
        doomed = shop.cashier
        assert isinstance(doomed, Doomed)
        doomed.steps, doomed.dies_at, doomed.lost = [], at, lost
        died = False
        try:
            shop.look()
        except PowerCut:
            died = True
        shop.later(minutes=6)
        shop.start()
        shop.look()
        [receipt] = shop.receipts(payment)
        assert (receipt.kind, receipt.movement_id) == (MovementKind.CHARGE, f"{tx.id}:0")
        assert shop.cashier.fsck() == []
        shop.close()
    assert at > 10
