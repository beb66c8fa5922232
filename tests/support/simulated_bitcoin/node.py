"""The simulated node: a chain, what waits for a block, and the answers to Core's calls."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

from tests.support.simulated_bitcoin.addresses import NETWORKS, script_of
from tests.support.simulated_bitcoin.blocks import Block, Tx, block, transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

MINER: Final = bytes.fromhex("0014") + b"\x11" * 20
SUBSIDY: Final = 50 * 10**8

# Core's codes of errors (src/rpc/protocol.h).
_METHOD_NOT_FOUND: Final = -32601
_NOT_FOUND: Final = -5
_INVALID_PARAMETER: Final = -8


class RpcError(Exception):
    """What a call is refused with."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class SimulatedNode:
    """
    A node with a chain of one block; *now* says the time that a block is made at.

    Pay to an address, mine blocks, and change the chain by its methods; the rest is for who
    watches it, over RPC.
    """

    user = "simulated"
    password = "of-a-simulated-node"

    def __init__(self, network: str = "regtest", now: Callable[[], datetime] | None = None) -> None:
        if network not in NETWORKS:
            raise ValueError(f"network is one of {', '.join(NETWORKS)}")
        self.network = network
        self.url = ""
        self.blocks: list[Block] = []
        self.mempool: dict[str, Tx] = {}
        self._now = now or (lambda: datetime.now(UTC))
        self._lock = RLock()
        self.mine()

    @property
    def height(self) -> int:
        """The number of the newest block."""
        return len(self.blocks) - 1

    # --- What the world does ---------------------------------------------------------------------

    def pay(self, address: str, satoshis: int, *, replaces: str = "") -> str:
        """
        Send *satoshis* to *address* and return the transaction's id; it waits for a block.

        With *replaces*, the id of one that waits, it spends the same and takes its place.
        """
        with self._lock:
            spent: tuple[str | None, ...] = (None,)
            if replaces:
                spent = self.mempool.pop(replaces).spends
            script = script_of(address, self.network)
            made = transaction((script, satoshis), spends=spent[0], replaceable=True)
            self.mempool[made.id] = made
            return made.id

    def drop(self, txid: str) -> None:
        """Forget a transaction that waits for a block."""
        with self._lock:
            del self.mempool[txid]

    def mine(self, blocks: int = 1) -> str:
        """Add *blocks*, the first with all that waits, and return the name of the newest."""
        with self._lock:
            for _ in range(blocks):
                previous = self.blocks[-1].hash if self.blocks else "0" * 64
                at = int(self._now().timestamp())
                waiting = list(self.mempool.values())
                self.blocks.append(block(previous, ((MINER, SUBSIDY),), waiting, at))
                self.mempool.clear()
            return self.blocks[-1].hash

    def reorganize(self, depth: int, *, without: Collection[str] = ()) -> str:
        """
        Put a longer chain in place of the last *depth* blocks, and return its newest block's name.

        What was in them is in the new ones as well, except the transactions *without*: somebody
        has spent their coins otherwise.
        """
        with self._lock:
            if not 0 < depth < len(self.blocks):
                raise ValueError(f"depth is from 1 to {len(self.blocks) - 1}")
            taken = self.blocks[-depth:]
            del self.blocks[-depth:]
            again = [tx for each in taken for tx in each.transactions[1:] if tx.id not in without]
            self.mempool = {tx.id: tx for tx in again} | self.mempool
            return self.mine(depth + 1)

    # --- What is asked over RPC ------------------------------------------------------------------

    def call(self, method: str, params: list[Any]) -> Any:
        """Return the result of a call; raise `RpcError` if it is refused."""
        with self._lock:
            match method, params:
                case "getblockchaininfo", []:
                    return self._info()
                case "getblockcount", []:
                    return self.height
                case "getbestblockhash", []:
                    return self.blocks[-1].hash
                case "getblockhash", [int(height)]:
                    if not 0 <= height <= self.height:
                        raise RpcError(_INVALID_PARAMETER, "Block height out of range")
                    return self.blocks[height].hash
                case "getblock", [str(hash_), False | 0]:
                    return self._block(hash_).raw.hex()
                case "getrawmempool", [] | [False]:
                    return list(self.mempool)
                case "getrawtransaction", [str(txid)] | [str(txid), False | 0]:
                    if txid not in self.mempool:
                        raise RpcError(_NOT_FOUND, "No such mempool transaction")
                    return self.mempool[txid].raw.hex()
                case _:
                    raise RpcError(_METHOD_NOT_FOUND, f"{method}{params}: not simulated")

    def _info(self) -> dict[str, Any]:
        return {
            "chain": self.network,
            "blocks": self.height,
            "headers": self.height,
            "bestblockhash": self.blocks[-1].hash,
            "initialblockdownload": False,
            "pruned": False,
        }

    def _block(self, hash_: str) -> Block:
        for each in reversed(self.blocks):
            if each.hash == hash_:
                return each
        raise RpcError(_NOT_FOUND, "Block not found")
