"""Watching the chain: what is known of it, and what follows when it changes.

The cursor holds the wallet and the height of the last block that was read. The hashes of the last
blocks are stored as well, and each payment to us that a change of the chain could still undo, with
the outputs that its transaction spends. The core stores them in the same transaction as the
notices and the cursor, each under its own name, and only if they changed. So a crash loses
nothing and repeats nothing, and an outage of any length is caught up with.

A payment is an output. It is *seen* without confirmations, or with too few, and it *settles* once
it has enough. If its block leaves the chain and the new chain does not have it, it is *gone*:
settled money is returned. If it comes back and settles again, that is new money with a new name.

Trust depends on the sum that could be lost at once, not on single outputs. The confirmations that
an output needs follow from all money at its address that is not deep yet, and unconfirmed money
is accepted up to one limit for the address and one for the account.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from paygate.driver import (
    BadResponse,
    DeclineCode,
    Declined,
    InvalidSettings,
    Money,
    Movement,
    MovementKind,
    Notice,
    Pending,
    Sighting,
)
from paygate.drivers.bitcoin.blocks import OUTPOINT

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from paygate.driver import Outcome
    from paygate.drivers.bitcoin.blocks import Block, Transaction
    from paygate.drivers.bitcoin.settings import BitcoinSettings

_VERSION: Final = 3
MISSING_BLOCKS: Final = 6
"""How many blocks pass before a transaction that nodes forgot is given up; it may be sent again."""
MATURITY: Final = 100
"""How many blocks pass before new coins can be spent; until then they can vanish with theirs."""
_SPENDS_MAX: Final = 2000
"""The inputs of the largest transaction that nodes relay."""
_OURS: Final = ("block ", "coin ", "spends ")


@dataclass(slots=True)
class Coin:
    """A payment to us that a change of the chain could still undo.

    `times` counts how often it settled, and `seen` how often it was reported as pending, last with
    `reported` confirmations. `missing` is the height since which the node has not known it.
    `since` is the reported output that it replaces, and `taken_over` how many of its satoshis
    replace satoshis of that one.
    """

    place: int
    satoshis: int
    coinbase: bool
    since: str = ""
    height: int | None = None
    times: int = 0
    seen: int = 0
    settled: bool = False
    reported: int | None = None
    dead: bool = False
    missing: int | None = None
    replaceable: bool = True
    day: int = 0
    taken_over: int = 0

    @property
    def is_known(self) -> bool:
        """Whether it was ever reported."""
        return bool(self.seen or self.times)


@dataclass(slots=True)
class Watch:
    """The hashes of the last blocks that were read, from height `first` on, and the coins.

    `began` is the height of the first block that was ever read, and `scans` counts the rescans.
    `spends` has, for each transaction of a coin, the outputs that it spends, concatenated.
    """

    first: int
    hashes: list[str] = field(default_factory=list[str])
    coins: dict[str, Coin] = field(default_factory=dict[str, Coin])
    spends: dict[str, bytes] = field(default_factory=dict[str, bytes])
    began: int = 0
    scans: int = 0
    _spenders: dict[bytes, set[str]] = field(default_factory=dict[bytes, set[str]])

    @property
    def height(self) -> int:
        """The height of the last block that was read."""
        return self.first + len(self.hashes) - 1

    @property
    def spent(self) -> Container[bytes]:
        """The outputs that our unconfirmed coins spend, by which their rivals are found."""
        return self._spenders

    # --- Storing ------------------------------------------------------------------------------

    def write(
        self, wallet: str, memory: Mapping[str, bytes]
    ) -> tuple[str, dict[str, bytes | None]]:
        """Return the cursor, and the rows that differ from *memory*."""
        now = dict(self._rows())
        changes: dict[str, bytes | None] = {
            name: row for name, row in now.items() if memory.get(name) != row
        }
        changes |= {name: None for name in memory if name.startswith(_OURS) and name not in now}
        position = {"v": _VERSION, "wallet": wallet, "height": self.height, "from": self.began}
        if self.scans:
            position["scans"] = self.scans
        return json.dumps(position, separators=(",", ":")), changes

    def _rows(self) -> Iterable[tuple[str, bytes]]:
        for height, hash_ in enumerate(self.hashes, self.first):
            yield f"block {height}", bytes.fromhex(hash_)
        for name, coin in self.coins.items():
            values = [getattr(coin, each) for each in Coin.__slots__]
            yield f"coin {name}", json.dumps(values, separators=(",", ":")).encode()
        for id_ in {_transaction_of(name) for name in self.coins}:
            yield f"spends {id_}", self.spends[id_]

    @classmethod
    def read(cls, cursor: str, wallet: str, memory: Mapping[str, bytes]) -> Watch:
        """Return what `write` stored, or raise `InvalidSettings` if it is about another wallet."""
        facts: dict[str, Any] = json.loads(cursor)
        if facts.get("v") != _VERSION:
            raise BadResponse(
                "the cursor of the feed was written by another version of this driver"
            )
        if facts["wallet"] != wallet:
            raise InvalidSettings(
                f"this account watches the wallet {facts['wallet']}, but the settings name "
                f"{wallet}: payments to the old addresses would be missed; add another account "
                "for the new wallet, and keep this one"
            )
        hashes: list[str] = []
        while (hash_ := memory.get(f"block {facts['height'] - len(hashes)}")) is not None:
            hashes.append(hash_.hex())
        first = facts["height"] - len(hashes) + 1
        watch = cls(first, hashes[::-1], began=facts["from"], scans=facts.get("scans", 0))
        for name, row in memory.items():
            kind, _, about = name.partition(" ")
            if kind == "coin":
                watch.coins[about] = Coin(*json.loads(row))
            elif kind == "spends":
                watch.spends[about] = row
        watch._watch_rivals()
        return watch

    # --- The chain changes ------------------------------------------------------------------

    def connect(self, block: Block, reorg_depth: int) -> None:
        """Add the next block."""
        self.hashes.append(block.hash)
        for transaction in block.transactions:
            for _, coin in self._coins_of(transaction, self._undo_rivals(transaction)):
                coin.height = self.height
                coin.day = block.time
                coin.dead, coin.missing = False, None
        surplus = len(self.hashes) - reorg_depth
        if surplus > 0:
            del self.hashes[:surplus]
            self.first += surplus

    def begin_again(self, start: int) -> None:
        """Continue at height *start* without any blocks; coins from there on are unconfirmed."""
        self.go_back_to(start - 1)
        self.hashes, self.first = [], start
        self.began = min(self.began, start)
        self.scans += 1

    def go_back_to(self, height: int) -> None:
        """Remove the blocks above *height*; their coins are unconfirmed again."""
        del self.hashes[max(0, height - self.first + 1) :]
        for coin in self.coins.values():
            if coin.height is not None and coin.height > height:
                coin.height = None
        self._watch_rivals()

    def meet(self, transaction: Transaction) -> None:
        """Add an unconfirmed transaction."""
        for _, coin in self._coins_of(transaction, self._undo_rivals(transaction)):
            coin.replaceable = transaction.replaceable
        if transaction.payments:
            self._watch_rivals_of(transaction.id)

    def compare(self, waiting: AbstractSet[str]) -> None:
        """Update which unconfirmed coins are missing from the mempool; *waiting* are its ids."""
        for name, coin in self.coins.items():
            if coin.height is not None:
                continue
            if _transaction_of(name) in waiting:
                coin.missing, coin.dead = None, False
                continue
            coin.missing = self.height if coin.missing is None else coin.missing
            coin.dead = coin.dead or self.height - coin.missing >= MISSING_BLOCKS

    def _coins_of(
        self, transaction: Transaction, instead_of: Mapping[int, list[_Undone]]
    ) -> Iterable[tuple[str, Coin]]:
        """Yield the coins of *transaction*, which replace those in *instead_of* by address."""
        for payment in transaction.payments:
            name = f"{transaction.id}:{payment.output}"
            if name not in self.coins:
                since, taken_over = _take_over(instead_of.get(payment.place, []), payment.satoshis)
                self.coins[name] = Coin(
                    place=payment.place,
                    satoshis=payment.satoshis,
                    coinbase=transaction.coinbase,
                    since=since,
                    taken_over=taken_over,
                )
                self.spends[transaction.id] = b"".join(transaction.spends[:_SPENDS_MAX])
            yield name, self.coins[name]

    def _undo_rivals(self, transaction: Transaction) -> dict[int, list[_Undone]]:
        """Undo the unconfirmed coins that spend the same outputs; return them by address."""
        rivals: set[str] = set()
        for spent in transaction.spends:
            rivals |= self._spenders.get(spent, set())
        rivals.discard(transaction.id)
        undone: dict[int, list[_Undone]] = {}
        for name, coin in self.coins.items() if rivals else ():
            if coin.height is None and _transaction_of(name) in rivals:
                coin.dead = True
                coin.missing = self.height if coin.missing is None else coin.missing
                known = _Undone(name, coin.satoshis)
                if not coin.is_known:
                    known = _Undone(coin.since, coin.taken_over)
                undone.setdefault(coin.place, []).append(known)
        return undone

    def _watch_rivals(self) -> None:
        """Record what the unconfirmed coins spend; a confirmed coin has no rivals."""
        for id_ in {
            _transaction_of(name) for name, coin in self.coins.items() if coin.height is None
        }:
            self._watch_rivals_of(id_)

    def _watch_rivals_of(self, id_: str) -> None:
        spends = self.spends[id_]
        for at in range(0, len(spends), OUTPOINT):
            self._spenders.setdefault(spends[at : at + OUTPOINT], set()).add(id_)

    # --- Reporting ----------------------------------------------------------------------------

    def report(
        self, address_of: Callable[[int], str], settings: BitcoinSettings, *, whole: bool
    ) -> list[Notice]:
        """Return notices of the news, and mark them as reported.

        A coin is reported as gone only if the chain was read to its end (*whole*), because the
        next block may hold it. Lost coins come last, after those that replace them.
        """
        news: list[Notice] = []
        lost: list[Notice] = []
        needed = self._needed(settings)
        trusted = self._trusted(settings, needed)
        for name, coin in self.coins.items():
            depth, enough = self._depth(coin), needed[name]
            settles = name in trusted if coin.height is None else depth >= enough
            about = _About(name, coin, address_of(coin.place), depth, enough, self.scans)
            if coin.settled and whole and coin.height is None and not settles:
                news.append(about.returned())
                coin.settled, coin.reported = False, None
            if coin.dead and not coin.settled and coin.reported is not None:
                lost.append(about.lost())
                coin.reported = None
            if coin.settled or coin.dead:
                continue
            if settles:
                coin.times += 1
                coin.settled, coin.reported = True, depth
                news.append(about.received())
            elif coin.reported is None or (whole and coin.reported != depth):
                coin.seen += 1
                coin.reported = depth
                news.append(about.seen())
        return news + lost

    def forget(self, depth: int) -> None:
        """Remove the coins that cannot change any more: settled deep enough, or long gone.

        A coin that settled once and is gone stays: if it comes back, it is new money.
        """
        for name, coin in list(self.coins.items()):
            deep = max(depth, MATURITY) if coin.coinbase else depth
            if coin.settled and coin.height is not None:
                done = self.height - coin.height > deep
            else:
                done = coin.dead and coin.missing is not None and self.height - coin.missing > deep
                done = done and not coin.times
            if done:
                del self.coins[name]

    def _depth(self, coin: Coin) -> int:
        """Return the confirmations of a coin."""
        return 0 if coin.height is None else self.height - coin.height + 1

    def _needed(self, settings: BitcoinSettings) -> dict[str, int]:
        """Return the confirmations that each coin needs, by the sum at risk at its address."""
        at_risk: Counter[int] = Counter()
        for coin in self.coins.values():
            if not coin.dead and self._depth(coin) < settings.confirmations_most:
                at_risk[coin.place] += coin.satoshis
        return {
            name: max(
                settings.needed_for(max(coin.satoshis, at_risk[coin.place])),
                MATURITY if coin.coinbase else 0,
            )
            for name, coin in self.coins.items()
        }

    def _trusted(self, settings: BitcoinSettings, needed: Mapping[str, int]) -> set[str]:
        """Return the unconfirmed coins that are accepted; those accepted before come first."""
        if not settings.accept_unconfirmed_below:
            return set()
        lent: Counter[int] = Counter()
        in_all = 0
        for name, coin in self.coins.items():
            if coin.settled and coin.height is not None and self._depth(coin) < needed[name]:
                lent[coin.place] += coin.satoshis
                in_all += coin.satoshis
        found: set[str] = set()
        waiting = [
            (not coin.settled, name, coin)
            for name, coin in self.coins.items()
            if coin.height is None and coin.missing is None and not (coin.dead or coin.replaceable)
        ]
        for _, name, coin in sorted(waiting, key=lambda each: each[:2]):
            if settings.trusts(lent[coin.place] + coin.satoshis, in_all + coin.satoshis):
                found.add(name)
                lent[coin.place] += coin.satoshis
                in_all += coin.satoshis
        return found


@dataclass(slots=True)
class _Undone:
    """A reported output that is undone, and the satoshis of it that nothing replaces yet."""

    name: str
    left: int


def _take_over(undone: list[_Undone], satoshis: int) -> tuple[str, int]:
    """Return which of *undone* an output of *satoshis* replaces, and how many satoshis of it."""
    there = [each for each in undone if each.left]
    if not there:
        return "", 0
    # The smallest that covers all of it, or else the largest.
    fits = [each for each in there if each.left >= satoshis]
    chosen = min(fits, key=lambda it: it.left) if fits else max(there, key=lambda it: it.left)
    taken = min(chosen.left, satoshis)
    chosen.left -= taken
    return chosen.name, taken


def _transaction_of(name: str) -> str:
    """Return the id of the transaction of the output *name*."""
    return name.partition(":")[0]


# --- Notices ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _About:
    """What a notice says about a coin: its name, its address, and its confirmations.

    After a rescan the same coin may be reported again with other facts, such as another block.
    """

    name: str
    coin: Coin
    address: str
    depth: int
    needed: int
    scans: int

    def received(self) -> Notice:
        """Return the notice that it has settled."""
        id_, before = self._id(self.coin.times), self._id(self.coin.times - 1)
        movement = Movement(
            movement_id=id_,
            amount=self._amount,
            effective=self._block_time,
            undoes=f"{before}:gone" if self.coin.times > 1 else None,
        )
        return self._notice(f"{id_}:in", "bitcoin.received", movement)

    def returned(self) -> Notice:
        """Return the notice that it had settled and is gone."""
        id_ = self._id(self.coin.times)
        movement = Movement(
            movement_id=f"{id_}:gone",
            amount=self._amount,
            kind=MovementKind.RETURN,
            undoes=id_,
            code="double_spent" if self.coin.dead else "reorganized",
        )
        return self._notice(f"{id_}:gone", "bitcoin.gone", movement)

    def seen(self) -> Notice:
        """Return the notice that it is pending."""
        answer = Pending(reference=self.address, amount=self._amount)
        return self._notice(f"{self.name}:seen:{self.coin.seen}", "bitcoin.seen", answer)

    def lost(self) -> Notice:
        """Return the notice that it was pending and is lost."""
        answer = Declined(
            code=DeclineCode.GENERIC,
            raw_code="double_spent",
            retryable=False,
            message="the transaction was replaced, double-spent or dropped before it was confirmed",
            reference=self.address,
            part=True,
        )
        return self._notice(f"{self.name}:lost:{self.coin.seen}", "bitcoin.lost", answer)

    def _id(self, times: int) -> str:
        """Return the movement id of an output that settled for the *times*-th time."""
        return self.name if times == 1 else f"{self.name}#{times}"

    @property
    def _amount(self) -> Money:
        return Money("BTC", self.coin.satoshis)

    @property
    def _block_time(self) -> datetime | None:
        return datetime.fromtimestamp(self.coin.day, UTC) if self.coin.day else None

    def _notice(self, event_id: str, type_: str, news: Movement | Outcome) -> Notice:
        return Notice(
            event_id=f"{event_id}@{self.scans}" if self.scans else event_id,
            type=type_,
            answer=None if isinstance(news, Movement) else news,
            movements=(news,) if isinstance(news, Movement) else (),
            reference=self.address,
            address_index=self.coin.place,
            # If no payment was requested at the address, the money is booked anyway.
            payer_number=self.address,
            occurred_at=self._block_time,
            sighting=Sighting(
                name=self.name,
                quantity=self._amount,
                confirmations=self.depth,
                needed=self.needed,
                replaces=self.coin.since,
                replaced=Money("BTC", self.coin.taken_over) if self.coin.since else None,
            ),
        )


def common_height(watch: Watch, first: int, theirs: Sequence[str]) -> int | None:
    """Return the height of the last common block, or None; *theirs* begin at *first*."""
    for height in range(first + len(theirs) - 1, first - 1, -1):
        place = height - watch.first
        if 0 <= place < len(watch.hashes) and watch.hashes[place] == theirs[height - first]:
            return height
    return None
