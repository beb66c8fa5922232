"""A simulated node that a test makes misbehave: what Core and Esplora answer.

It knows no validation: it has the chain that a test gives it. Its blocks and transactions are
those of the simulated node, which shares no code with the driver.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from paygate.dialogue import Request, Response
from paygate.drivers.bitcoin import Bitcoin, BitcoinSettings, RateSource
from tests.support.simulated_bitcoin.blocks import Block, Tx, block
from tests.support.simulated_bitcoin.blocks import transaction as pay

__all__ = ["DECOY", "OnSimulatedNode", "SimulatedNode", "Tx", "chain", "pay"]

GENESIS = {
    "regtest": "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
    "main": "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
}
DECOY = bytes.fromhex("0014") + b"\x11" * 20


@dataclass
class SimulatedNode:
    """A chain, a mempool, and the answers that a test wants otherwise."""

    network: str = "regtest"
    blocks: list[Block] = field(default_factory=list[Block])
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

    def mine(self, *transactions: Tx, decoys: int = 0) -> Block:
        """Add a block with *transactions*, which leave the mempool."""
        previous = self.blocks[-1].hash if self.blocks else "0" * 64
        others = [tx for tx in transactions if not tx.coinbase]
        others += [pay((DECOY, 1), (DECOY, 2)) for _ in range(decoys)]
        mined = next((tx.coinbase for tx in transactions if tx.coinbase), ((DECOY, 50 * 10**8),))
        self.blocks.append(block(previous, mined, others, self._time()))
        self.inside = list(self.blocks[-1].transactions)
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

    def reorganise(self, depth: int, *blocks: tuple[Tx, ...]) -> list[Block]:
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
