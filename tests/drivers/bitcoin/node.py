"""A simulated node: blocks and transactions as bytes, and what Core and Esplora answer.

It knows no validation: it has the chain that a test gives it. It shares no code
with the driver.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from paygate.dialogue import Request, Response
from paygate.drivers.bitcoin import Bitcoin, BitcoinSettings, RateSource

GENESIS = {
    "regtest": "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
    "main": "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
}
DECOY = bytes.fromhex("0014") + b"\x11" * 20


def double(data: bytes) -> bytes:
    return sha256(sha256(data).digest()).digest()


def varint(number: int) -> bytes:
    if number < 0xFD:
        return bytes([number])
    size, mark = (2, b"\xfd") if number < 2**16 else (4, b"\xfe")
    return mark + number.to_bytes(size, "little")


def outpoint(name: str) -> bytes:
    """Write the name of an output as an input has it."""
    txid, _, number = name.partition(":")
    return bytes.fromhex(txid)[::-1] + int(number).to_bytes(4, "little")


@dataclass(frozen=True)
class Tx:
    """A transaction; `stripped` is what its id is made of."""

    raw: bytes
    stripped: bytes
    coinbase: tuple[tuple[bytes, int], ...] = ()

    @property
    def id(self) -> str:
        return double(self.stripped)[::-1].hex()


@dataclass(frozen=True)
class Made:
    """A block."""

    raw: bytes
    previous: str

    @property
    def hash(self) -> str:
        return double(self.raw[:80])[::-1].hex()


_serial = count(1)


def pay(
    *outputs: tuple[bytes, int],
    spends: str | None = None,
    also_spends: Sequence[str] = (),
    replaceable: bool = False,
    segwit: bool = True,
    coinbase: bool = False,
) -> Tx:
    """Make a transaction with these (script, satoshis); it spends a coin of its own by default."""
    if coinbase:
        source = b"\0" * 32 + b"\xff" * 4
        script = next(_serial).to_bytes(8, "little")
    else:
        source = outpoint(spends or f"{next(_serial):064x}:0")
        script = b"" if segwit else b"\x51" * 300
    sequence = b"\xfd\xff\xff\xff" if replaceable else b"\xff\xff\xff\xff"
    sources = [source, *map(outpoint, also_spends)]
    inputs = varint(len(sources)) + b"".join(
        each + varint(len(script)) + script + sequence for each in sources
    )
    paid = varint(len(outputs)) + b"".join(
        value.to_bytes(8, "little") + varint(len(script)) + script for script, value in outputs
    )
    version, lock = b"\x02\0\0\0", b"\0\0\0\0"
    stripped = version + inputs + paid + lock
    if coinbase:
        return Tx(stripped, stripped, outputs)
    if not segwit:
        return Tx(stripped, stripped)
    witness = varint(2) + varint(71) + b"\x30" * 71 + varint(33) + b"\x02" * 33
    return Tx(version + b"\0\x01" + inputs + paid + witness * len(sources) + lock, stripped)


def tree(hashes: Sequence[bytes]) -> bytes:
    """Make the root of a block's hash tree."""
    if len(hashes) == 1:
        return hashes[0]
    even = [*hashes, hashes[-1]] if len(hashes) % 2 else list(hashes)
    return tree([double(one + other) for one, other in zip(even[::2], even[1::2], strict=True)])


def first_of(outputs: Sequence[tuple[bytes, int]], others: Sequence[Tx]) -> Tx:
    """Make the first transaction of a block, which commits to the witnesses of the others."""
    reserved = b"\x07" * 32
    root = tree([bytes(32), *(double(tx.raw) for tx in others)])
    promise = bytes.fromhex("6a24aa21a9ed") + double(root + reserved)
    made = pay(*outputs, (promise, 0), coinbase=True).raw
    return Tx(made[:4] + b"\0\x01" + made[4:-4] + b"\x01\x20" + reserved + made[-4:], made)


@dataclass
class SimulatedNode:
    """A chain, a mempool, and the answers that a test wants otherwise."""

    network: str = "regtest"
    blocks: list[Made] = field(default_factory=list[Made])
    mempool: dict[str, Tx] = field(default_factory=dict[str, Tx])
    info: dict[str, Any] = field(default_factory=dict[str, Any])
    errors: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    status: int = 200
    rates: dict[str, Any] = field(default_factory=dict[str, Any])
    asked: list[str] = field(default_factory=list[str])
    now: Callable[[], datetime] | None = None
    inside: list[Tx] = field(default_factory=list[Tx])

    @property
    def height(self) -> int:
        return len(self.blocks) - 1

    def mine(self, *transactions: Tx, decoys: int = 0) -> Made:
        """Add a block with *transactions*, which leave the mempool."""
        previous = self.blocks[-1].hash if self.blocks else "0" * 64
        others = [tx for tx in transactions if not tx.coinbase]
        others += [pay((DECOY, 1), (DECOY, 2)) for _ in range(decoys)]
        mined = next((tx.coinbase for tx in transactions if tx.coinbase), ((DECOY, 50 * 10**8),))
        inside = [first_of(mined, others), *others]
        self.inside = inside
        header = (
            b"\0\0\0\x20"
            + bytes.fromhex(previous)[::-1]
            + tree([double(tx.stripped) for tx in inside])
            + self._time().to_bytes(4, "little")
            + bytes.fromhex("ffff7f20")
            + next(_serial).to_bytes(4, "little")
        )
        raw = header + varint(len(inside)) + b"".join(tx.raw for tx in inside)
        self.blocks.append(Made(raw, previous))
        for tx in transactions:
            self.mempool.pop(tx.id, None)
        return self.blocks[-1]

    def _time(self) -> int:
        """Tell what the next block says of when it was made."""
        if self.now is None:
            return 1_700_000_000 + 600 * len(self.blocks)
        return int(self.now().timestamp())

    def mine_many(self, number: int) -> None:
        for _ in range(number):
            self.mine()

    def reorganise(self, depth: int, *blocks: tuple[Tx, ...]) -> list[Made]:
        """Take the last *depth* blocks away and mine *blocks* instead; tell what was taken."""
        taken = self.blocks[len(self.blocks) - depth :]
        del self.blocks[len(self.blocks) - depth :]
        for transactions in blocks:
            self.mine(*transactions)
        return taken

    def see(self, tx: Tx) -> Tx:
        self.mempool[tx.id] = tx
        return tx

    # --- Answers -------------------------------------------------------------------------------

    def answer(self, request: Request) -> Response:
        self.asked.append(request.step)
        path = urlsplit(request.url).path
        if path.endswith("/prices"):
            return Response(status=200, body=json.dumps(self.rates).encode())
        if request.method == "GET":
            return self._esplora(path.removeprefix("/api"))
        if self.status in (401, 503):
            return Response(status=self.status, body=b"no")
        asked = json.loads(request.body)
        entries = asked if isinstance(asked, list) else [asked]
        told = [self._core(entry) for entry in entries]
        if isinstance(asked, list):
            told.reverse()  # the order of a batch is the server's
        return Response(
            status=200,
            body=json.dumps(told if isinstance(asked, list) else told[0]).encode(),
        )

    def _core(self, entry: dict[str, Any]) -> dict[str, Any]:
        method, params = entry["method"], entry["params"]
        if method in self.errors:
            return {"result": None, "error": self.errors[method], "id": entry["id"]}
        return {"result": self._result(method, params), "error": None, "id": entry["id"]}

    def _result(self, method: str, params: list[Any]) -> Any:
        match method:
            case "getblockchaininfo":
                return {
                    "chain": self.network,
                    "blocks": self.height,
                    "headers": self.height,
                    "bestblockhash": self.blocks[-1].hash,
                    "initialblockdownload": False,
                    "pruned": False,
                    **self.info,
                }
            case "getblockhash":
                return self.blocks[params[0]].hash
            case "getblock":
                assert params[1] is False
                return next(each for each in self.blocks if each.hash == params[0]).raw.hex()
            case "getrawmempool":
                return list(self.mempool)
            case "getrawtransaction":
                return self.mempool[params[0]].raw.hex()
            case _:
                raise AssertionError(f"the driver asked {method}")

    def _esplora(self, path: str) -> Response:
        match path.strip("/").split("/"):
            case ["block-height", "0"]:
                body = GENESIS[self.network].encode()
            case ["block-height", height]:
                body = self.blocks[int(height)].hash.encode()
            case ["blocks", "tip", "hash"]:
                body = self.blocks[-1].hash.encode()
            case ["block", hash_, "raw"]:
                body = next(each for each in self.blocks if each.hash == hash_).raw
            case ["block", hash_]:
                [number] = [n for n, each in enumerate(self.blocks) if each.hash == hash_]
                body = json.dumps({"id": hash_, "height": number}).encode()
            case ["mempool", "txids"]:
                body = json.dumps(list(self.mempool)).encode()
            case ["tx", id_, "hex"] if id_ in self.mempool:
                body = self.mempool[id_].raw.hex().encode()
            case _:
                return Response(status=404, body=b"Transaction not found")
        return Response(status=self.status, body=body)


class OnSimulatedNode(Bitcoin):
    """The driver, whose requests a simulated node answers; it reads so many transactions a page."""

    def __init__(
        self,
        settings: BitcoinSettings,
        node: SimulatedNode,
        rates: RateSource | None = None,
        transactions_per_page: int | None = None,
    ) -> None:
        super().__init__(settings, rates)
        self.node = node
        if transactions_per_page is not None:
            vars(self._chain)["transactions_per_page"] = transactions_per_page

    def answer(self, request: Request) -> Response:
        return self.node.answer(request)


def chain(length: int, network: str = "regtest") -> SimulatedNode:
    """Make a node with a chain of so many blocks."""
    node = SimulatedNode(network)
    node.mine_many(length)
    return node
