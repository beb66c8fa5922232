"""Watching the chain: what we know of it, and what follows when it changes.

All that must be remembered between two looks is in the cursor, which the core
stores in the same transaction as the notices: the names of the last blocks, and
each payment to us that a change of the chain could still undo. So a crash loses
nothing and repeats nothing, and no outage is too long.

A payment is an output. It is *seen* without confirmations, or with too few; it
*settles* once, when it has enough. When its block leaves the chain and the new
chain does not have it, it is *gone*: money that was settled is returned. If it
comes back and settles again, that is money that came anew, under a name of its
own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from paygate.driver import (
    BadReply,
    DeclineCode,
    Declined,
    Money,
    Movement,
    MovementKind,
    Notice,
    Pending,
)
from paygate.drivers.bitcoin.blocks import packed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from paygate.drivers.bitcoin.blocks import Block, Transaction
    from paygate.drivers.bitcoin.settings import BitcoinSettings

_VERSION: Final = 1
# A transaction of which no node knows any more may still be in somebody's hands for a while.
MISSING_BLOCKS: Final = 6
# Coins that a block made must not be spent, and can vanish with it, for this long.
MATURITY: Final = 100
_SPENDS_MAX: Final = 50


@dataclass(slots=True)
class Coin:
    """A payment to us that is not beyond all doubt yet.

    `times` counts how often it settled, `seen` how often it was told as being on
    its way; `missing` is the height from which on nobody knew it.
    """

    place: int
    satoshis: int
    spends: tuple[str, ...]
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
    """The last blocks that were read, the first of them at height `first`, and the coins."""

    first: int
    hashes: list[str] = field(default_factory=list[str])
    coins: dict[str, Coin] = field(default_factory=dict[str, Coin])

    @property
    def height(self) -> int:
        """The height of the last block that was read."""
        return self.first + len(self.hashes) - 1

    @property
    def spent(self) -> set[bytes]:
        """The outputs that our coins spend: whoever else spends them undoes our coins."""
        return {packed(name) for coin in self.coins.values() for name in coin.spends}

    def write(self) -> str:
        """Write the cursor."""
        return json.dumps(
            {
                "v": _VERSION,
                "first": self.first,
                "hashes": self.hashes,
                "coins": {
                    name: [getattr(coin, each) for each in Coin.__slots__]
                    for name, coin in self.coins.items()
                },
            },
            separators=(",", ":"),
        )

    @classmethod
    def read(cls, cursor: str) -> Watch:
        """Read what `write` wrote."""
        facts: dict[str, Any] = json.loads(cursor)
        if facts.get("v") != _VERSION:
            raise BadReply("the place where the chain was read to is of another version")
        coins: dict[str, Coin] = {}
        for name, values in facts["coins"].items():
            coin = Coin(**dict(zip(Coin.__slots__, values, strict=True)))
            coin.spends = tuple(coin.spends)
            coins[name] = coin
        return cls(facts["first"], facts["hashes"], coins)

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

    def meet(self, transaction: Transaction, settings: BitcoinSettings) -> None:
        """See a transaction that waits for a block."""
        self._undo_rivals(transaction)
        for _, coin in self._coins_of(transaction, settings):
            # One that announces that it may be replaced is never taken on trust.
            trusted = coin.satoshis < settings.accept_unconfirmed_below * 10**8
            coin.unconfirmed_will_do = trusted and not transaction.replaceable

    def compare(self, waiting: AbstractSet[str]) -> None:
        """Note which unconfirmed payments no longer wait for a block, or wait again."""
        for name, coin in self.coins.items():
            if coin.height is not None:
                continue
            if name.partition(":")[0] in waiting:
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
                    spends=transaction.spends[:_SPENDS_MAX],
                    needed=max(needed, MATURITY) if transaction.coinbase else needed,
                )
            yield name, self.coins[name]

    def _undo_rivals(self, transaction: Transaction) -> None:
        spends = set(transaction.spends)
        for name, coin in self.coins.items():
            theirs = name.partition(":")[0]
            if (
                coin.height is None
                and theirs != transaction.id
                and not spends.isdisjoint(coin.spends)
            ):
                coin.dead = True
                coin.missing = self.height if coin.missing is None else coin.missing

    # --- What follows -----------------------------------------------------------------------

    def tell(self, address_of: Callable[[int], str], *, whole: bool) -> list[Notice]:
        """
        Tell what is new, and remember that it was told.

        What is gone is told only where the chain was read to its end (*whole*): the
        next block may hold it.
        """
        told: list[Notice] = []
        for name, coin in self.coins.items():
            address = address_of(coin.place)
            if coin.settled and whole and self._gone(coin):
                told.append(_returned(name, coin, address))
                coin.settled = coin.announced = False
            if coin.settled or coin.dead:
                if coin.dead and coin.announced and not coin.settled:
                    coin.announced = False
                    left = self._on_its_way(coin.place)
                    if left:
                        told.append(_seen(f"{name}:lost", coin, address, left))
                    elif not self._another_at(coin):
                        told.append(_failed(name, coin, address))
                continue
            if self._enough(coin):
                coin.times += 1
                coin.settled = coin.announced = True
                told.append(_received(name, coin, address))
            elif not coin.announced:
                coin.seen += 1
                coin.announced = True
                told.append(_seen(name, coin, address, self._on_its_way(coin.place)))
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

    def _on_its_way(self, place: int) -> int:
        """Return how much was seen at *place* and has not settled, in satoshi."""
        return sum(
            coin.satoshis
            for coin in self.coins.values()
            if coin.place == place and not coin.settled and not coin.dead
        )

    def _another_at(self, coin: Coin) -> bool:
        return any(
            other.place == coin.place and not other.dead
            for other in self.coins.values()
            if other is not coin
        )


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
