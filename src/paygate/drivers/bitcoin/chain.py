"""The chain as the driver reads it: from a node, or from a server that has one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from paygate.driver import BadResponse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.driver import Dialogue, Fields

BLOCK_BYTES_MAX: Final = 4_100_000
"""The size of the largest possible block, with some room."""
MEMPOOL_BYTES_MAX: Final = 25_000_000
"""The size of a list of 300,000 transaction ids, which is more than nodes keep."""
HASH: Final = re.compile(r"[0-9a-f]{64}")
"""The id of a block or transaction."""
HEIGHT_MAX: Final = 2**31


@dataclass(frozen=True, slots=True)
class Tip:
    """The newest block of the best chain that a node knows."""

    height: int
    hash: str


class Chain(Protocol):
    """A source of blocks and unconfirmed transactions."""

    @property
    def transactions_per_page(self) -> int:
        """The number of transactions to read before they are stored; at most a minute's work."""
        ...

    def tip(self, next_height: int | None) -> Dialogue[Tip]:
        """Return the newest block, or raise `BadResponse` if block *next_height* is unavailable.

        It is unavailable if the node is on another network, is still catching up, or has
        deleted old blocks.
        """
        ...

    def hashes(self, first: int, count: int) -> Dialogue[Sequence[str]]:
        """Return the hashes of *count* blocks of the best chain from height *first* on."""
        ...

    def block(self, hash_: str) -> Dialogue[bytes]:
        """Return the bytes of a block."""
        ...

    def mempool(self) -> Dialogue[Sequence[str]]:
        """Return the ids of the unconfirmed transactions."""
        ...

    def transactions(self, ids: Sequence[str]) -> Dialogue[Sequence[bytes | None]]:
        """Return the unconfirmed transactions *ids*; None for one that has left the mempool."""
        ...


def read_hash(answer: object) -> str:
    """Return the id of a block or transaction."""
    if not isinstance(answer, str) or not HASH.fullmatch(answer):
        raise BadResponse("the node gives an id of a block or transaction that is not a hash")
    return answer


def read_height(facts: Fields, path: str) -> int:
    """Return the height of a block."""
    height = facts.whole(path, -1)
    if not 0 <= height < HEIGHT_MAX:
        raise BadResponse("the node gives an impossible block height")
    return height


def read_hex(answer: object) -> bytes:
    """Return bytes that are written in hex."""
    try:
        return bytes.fromhex(answer if isinstance(answer, str) else "-")
    except ValueError:
        raise BadResponse("the node sent something other than bytes in hex") from None
