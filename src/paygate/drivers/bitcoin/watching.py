"""Watching the chain: what we know of it, and what follows when it changes.

The cursor is a position: the wallet, and the height of the last block that was read. What else
must be remembered between two looks are the names of the last blocks, and each payment to us
that a change of the chain could still undo, with what its transaction spends. The core stores
them in the same transaction as the notices and the cursor, each under a name of its own, and
only what has changed. So a crash loses nothing and repeats nothing, and no outage is too long.

A payment is an output. It is *seen* without confirmations, or with too few; it
*settles* once, when it has enough. When its block leaves the chain and the new
chain does not have it, it is *gone*: money that was settled is returned. If it
comes back and settles again, that is money that came anew, under a name of its
own.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from paygate.driver import (
    BadReply,
    DeclineCode,
    Declined,
    InvalidSettings,
    Money,
    Movement,
    MovementKind,
    Notice,
    Pending,
)
from paygate.drivers.bitcoin.blocks import OUTPOINT

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from paygate.drivers.bitcoin.blocks import Block, Transaction
    from paygate.drivers.bitcoin.settings import BitcoinSettings

_VERSION: Final = 2
# A transaction of which no node knows any more may still be in somebody's hands for a while.
MISSING_BLOCKS: Final = 6
# Coins that a block made must not be spent, and can vanish with it, for this long.
MATURITY: Final = 100
# As many inputs as the largest transaction has that nodes pass on.
_SPENDS_MAX: Final = 2000
_OURS: Final = ("block ", "coin ", "spends ")


@dataclass(slots=True)
class Coin:
    """A payment to us that is not beyond all doubt yet.

    `times` counts how often it settled, `seen` how often it was told as being on
    its way; `missing` is the height from which on nobody knew it.
    """

    place: int
    satoshis: int
    needed: int
    height: int | None = None
    times: int = 0
    seen: int = 0
    settled: bool = False
    announced: bool = False
    dead: bool = False
    missing: int | None = None
    unconfirmed_will_do: bool = False
    day: int = 0


@dataclass(slots=True)
class Watch:
    """The last blocks that were read, the first of them at height `first`, and the coins.

    `spends` are the outputs that the transaction of each coin spends, one after the other.
    """

    first: int
    hashes: list[str] = field(default_factory=list[str])
    coins: dict[str, Coin] = field(default_factory=dict[str, Coin])
    spends: dict[str, bytes] = field(default_factory=dict[str, bytes])
    _spenders: dict[bytes, set[str]] = field(default_factory=dict[bytes, set[str]])

    @property
    def height(self) -> int:
        """The height of the last block that was read."""
        return self.first + len(self.hashes) - 1

    @property
    def spent(self) -> Container[bytes]:
        """The outputs that our unconfirmed coins spend: whoever else spends them undoes those."""
        return self._spenders

    # --- What is remembered -------------------------------------------------------------------

    def write(
        self, wallet: str, memory: Mapping[str, bytes]
    ) -> tuple[str, dict[str, bytes | None]]:
        """Return the cursor, and what has changed since *memory* was read."""
        now = dict(self._rows())
        changes: dict[str, bytes | None] = {
            name: row for name, row in now.items() if memory.get(name) != row
        }
        changes |= {name: None for name in memory if name.startswith(_OURS) and name not in now}
        position = {"v": _VERSION, "wallet": wallet, "height": self.height}
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
        """Read what `write` wrote; raise `InvalidSettings` if it is about another wallet."""
        facts: dict[str, Any] = json.loads(cursor)
        if facts.get("v") != _VERSION:
            raise BadReply("the place where the chain was read to is of another version")
        if facts["wallet"] != wallet:
            raise InvalidSettings(
                f"this account watches the wallet {facts['wallet']}, and the settings name "
                f"{wallet}: payments to the old addresses would be missed; give the new wallet an "
                "account of its own, and keep this one"
            )
        hashes: list[str] = []
        while (hash_ := memory.get(f"block {facts['height'] - len(hashes)}")) is not None:
            hashes.append(hash_.hex())
        watch = cls(facts["height"] - len(hashes) + 1, hashes[::-1])
        for name, row in memory.items():
            kind, _, about = name.partition(" ")
            if kind == "coin":
                watch.coins[about] = Coin(*json.loads(row))
            elif kind == "spends":
                watch.spends[about] = row
        watch._watch_rivals()
        return watch

    # --- The chain changes ------------------------------------------------------------------

    def connect(self, block: Block, settings: BitcoinSettings) -> None:
        """Go on by one block."""
        self.hashes.append(block.hash)
        for transaction in block.transactions:
            self._undo_rivals(transaction)
            for _, coin in self._coins_of(transaction, settings):
                coin.height = self.height
                coin.day = block.time
                coin.dead, coin.missing = False, None
        surplus = len(self.hashes) - settings.reorg_depth
        if surplus > 0:
            del self.hashes[:surplus]
            self.first += surplus

    def go_back_to(self, height: int) -> None:
        """Forget the blocks above *height*; what was in them is unconfirmed again."""
        del self.hashes[max(0, height - self.first + 1) :]
        for coin in self.coins.values():
            if coin.height is not None and coin.height > height:
                coin.height = None
        self._watch_rivals()

    def meet(self, transaction: Transaction, settings: BitcoinSettings) -> None:
        """See a transaction that waits for a block."""
        self._undo_rivals(transaction)
        for _, coin in self._coins_of(transaction, settings):
            # One that announces that it may be replaced is never taken on trust.
            trusted = coin.satoshis < settings.accept_unconfirmed_below * 10**8
            coin.unconfirmed_will_do = trusted and not transaction.replaceable
        if transaction.payments:
            self._watch_rivals_of(transaction.id)

    def compare(self, waiting: AbstractSet[str]) -> None:
        """Note which unconfirmed payments no longer wait for a block, or wait again."""
        for name, coin in self.coins.items():
            if coin.height is not None:
                continue
            if _transaction_of(name) in waiting:
                coin.missing, coin.dead = None, False
                continue
            coin.missing = self.height if coin.missing is None else coin.missing
            coin.dead = coin.dead or self.height - coin.missing >= MISSING_BLOCKS

    def _coins_of(
        self, transaction: Transaction, settings: BitcoinSettings
    ) -> Iterable[tuple[str, Coin]]:
        for payment in transaction.payments:
            name = f"{transaction.id}:{payment.output}"
            if name not in self.coins:
                needed = settings.needed_for(payment.satoshis)
                self.coins[name] = Coin(
                    place=payment.place,
                    satoshis=payment.satoshis,
                    needed=max(needed, MATURITY) if transaction.coinbase else needed,
                )
                self.spends[transaction.id] = b"".join(transaction.spends[:_SPENDS_MAX])
            yield name, self.coins[name]

    def _undo_rivals(self, transaction: Transaction) -> None:
        rivals: set[str] = set()
        for spent in transaction.spends:
            rivals |= self._spenders.get(spent, set())
        rivals.discard(transaction.id)
        if not rivals:
            return
        for name, coin in self.coins.items():
            if coin.height is None and _transaction_of(name) in rivals:
                coin.dead = True
                coin.missing = self.height if coin.missing is None else coin.missing

    def _watch_rivals(self) -> None:
        """Know what the unconfirmed coins spend; who has a coin in a block has no rival there."""
        for id_ in {
            _transaction_of(name) for name, coin in self.coins.items() if coin.height is None
        }:
            self._watch_rivals_of(id_)

    def _watch_rivals_of(self, id_: str) -> None:
        spends = self.spends[id_]
        for at in range(0, len(spends), OUTPOINT):
            self._spenders.setdefault(spends[at : at + OUTPOINT], set()).add(id_)

    # --- What follows -----------------------------------------------------------------------

    def tell(self, address_of: Callable[[int], str], *, whole: bool) -> list[Notice]:
        """
        Tell what is new, and remember that it was told.

        What is gone is told only where the chain was read to its end (*whole*): the
        next block may hold it.
        """
        told: list[Notice] = []
        alive = Counter(coin.place for coin in self.coins.values() if not coin.dead)
        on_its_way = self._on_its_way()
        for name, coin in self.coins.items():
            address = address_of(coin.place)
            if coin.settled and whole and self._gone(coin):
                told.append(_returned(name, coin, address))
                coin.settled = coin.announced = False
                on_its_way[coin.place] += 0 if coin.dead else coin.satoshis
            if coin.settled or coin.dead:
                if coin.dead and coin.announced and not coin.settled:
                    coin.announced = False
                    left = on_its_way[coin.place]
                    if left:
                        told.append(_seen(f"{name}:lost", coin, address, left))
                    elif not alive[coin.place]:
                        told.append(_failed(name, coin, address))
                continue
            if self._enough(coin):
                coin.times += 1
                coin.settled = coin.announced = True
                on_its_way[coin.place] -= coin.satoshis
                told.append(_received(name, coin, address))
            elif not coin.announced:
                coin.seen += 1
                coin.announced = True
                told.append(_seen(name, coin, address, on_its_way[coin.place]))
        return told

    def forget(self, depth: int) -> None:
        """Let go of what is beyond all doubt: settled deep down, or gone for long."""
        for name, coin in list(self.coins.items()):
            deep = max(depth, coin.needed)
            if coin.settled and coin.height is not None:
                done = self.height - coin.height > deep
            else:
                done = coin.dead and coin.missing is not None and self.height - coin.missing > deep
            if done:
                del self.coins[name]

    def _enough(self, coin: Coin) -> bool:
        if coin.height is None:
            return coin.unconfirmed_will_do
        return self.height - coin.height + 1 >= coin.needed

    def _gone(self, coin: Coin) -> bool:
        if coin.height is not None:
            return False
        return coin.dead or coin.missing is not None or not coin.unconfirmed_will_do

    def _on_its_way(self) -> Counter[int]:
        """Return how much was seen at each place and has not settled, in satoshi."""
        amounts = Counter[int]()
        for coin in self.coins.values():
            if not coin.settled and not coin.dead:
                amounts[coin.place] += coin.satoshis
        return amounts


def _transaction_of(name: str) -> str:
    """Return the name of the transaction that the output *name* is of."""
    return name.partition(":")[0]


# --- Notices ----------------------------------------------------------------------------------


def _id(name: str, times: int) -> str:
    """Name the money of an output that settled for the *times*-th time."""
    return name if times == 1 else f"{name}#{times}"


def _received(name: str, coin: Coin, address: str) -> Notice:
    movement = Movement(
        movement_id=_id(name, coin.times),
        amount=Money("BTC", coin.satoshis),
        effective=datetime.fromtimestamp(coin.day, UTC) if coin.day else None,
        undoes=f"{_id(name, coin.times - 1)}:gone" if coin.times > 1 else None,
    )
    return _notice(f"{_id(name, coin.times)}:in", "bitcoin.received", coin, address, movement)


def _returned(name: str, coin: Coin, address: str) -> Notice:
    id_ = _id(name, coin.times)
    movement = Movement(
        movement_id=f"{id_}:gone",
        amount=Money("BTC", coin.satoshis),
        kind=MovementKind.RETURN,
        undoes=id_,
        code="double_spent" if coin.dead else "reorganised",
    )
    return _notice(f"{id_}:gone", "bitcoin.gone", coin, address, movement)


def _seen(name: str, coin: Coin, address: str, on_its_way: int) -> Notice:
    return Notice(
        event_id=f"{name}:seen:{coin.seen}",
        type="bitcoin.seen",
        reference=address,
        place=coin.place,
        answer=Pending(reference=address, amount=Money("BTC", on_its_way)),
    )


def _failed(name: str, coin: Coin, address: str) -> Notice:
    return Notice(
        event_id=f"{name}:failed:{coin.seen}",
        type="bitcoin.failed",
        reference=address,
        place=coin.place,
        answer=Declined(
            code=DeclineCode.GENERIC,
            raw_code="double_spent",
            retryable=False,
            message="the transaction was replaced, double-spent or given up before a block had it",
            reference=address,
        ),
    )


def _notice(event_id: str, type_: str, coin: Coin, address: str, movement: Movement) -> Notice:
    return Notice(
        event_id=event_id,
        type=type_,
        reference=address,
        place=coin.place,
        movements=(movement,),
    )


def common_height(watch: Watch, first: int, theirs: Sequence[str]) -> int | None:
    """Tell the highest block that both know, of those from height *first* on; None without one."""
    for height in range(first + len(theirs) - 1, first - 1, -1):
        place = height - watch.first
        if 0 <= place < len(watch.hashes) and watch.hashes[place] == theirs[height - first]:
            return height
    return None
