"""What watching needs of a node, or of a server that has one, as dialogues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.driver import Dialogue

BLOCK_BYTES_MAX: Final = 4_100_000
"""The largest block that there can be, with some room."""


@dataclass(frozen=True, slots=True)
class Tip:
    """The newest block of the best chain that a node knows."""

    height: int
    hash: str


class Chain(Protocol):
    """A node or a server that has one."""

    @property
    def transactions_per_page(self) -> int:
        """How many transactions are read before it is written down; a minute's work at most."""
        ...

    def tip(self, next_height: int | None) -> Dialogue[Tip]:
        """Return the newest block; raise `BadResponse` if blocks from *next_height* on are lacking.

        That is so if the node is on another network, is still catching up, or has deleted
        old blocks.
        """
        ...

    def hashes(self, first: int, count: int) -> Dialogue[Sequence[str]]:
        """Return the hashes of the blocks of the best chain from height *first* on."""
        ...

    def block(self, hash_: str) -> Dialogue[bytes]:
        """Return the bytes of a block."""
        ...

    def mempool(self) -> Dialogue[Sequence[str]]:
        """Return the ids of the transactions that wait for a block."""
        ...

    def transactions(self, ids: Sequence[str]) -> Dialogue[Sequence[bytes | None]]:
        """Return the waiting transactions of *ids*; None for one that has left meanwhile."""
        ...
