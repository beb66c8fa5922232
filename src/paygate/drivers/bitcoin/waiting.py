"""Which of the transactions that wait for a block have been read.

A node names all of them at each look, and there can be hundreds of thousands. To read one
again shows nothing new, so those that were read are remembered: by the first bytes of their
names, as a set and as what each look since has changed of it. What a look writes grows with
what is new, and not with what waits.

The first bytes will do. Whoever finds another transaction with the same ones hides it until
it is in a block, and there each transaction is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

_BYTES: Final = 8
_CHANGES_MAX: Final = 32


def short(id_: str) -> bytes:
    """Return the first bytes of a transaction's name."""
    return bytes.fromhex(id_[: 2 * _BYTES])


class Waiting:
    """The waiting transactions that were read, by their short names, as *memory* has them."""

    def __init__(self, memory: Mapping[str, bytes]) -> None:
        read = _unpack(memory.get("waiting 0", b""))
        changes = entries = 0
        while (packed := memory.get(f"waiting {changes + 1}")) is not None:
            changed = _unpack(packed)
            read ^= changed
            changes += 1
            entries += len(changed)
        self.read: AbstractSet[bytes] = read
        self._changes, self._entries = changes, entries

    def become(self, read: AbstractSet[bytes]) -> dict[str, bytes | None]:
        """Return what is to be remembered if *read* are those that were read."""
        changed = self.read ^ read
        if not changed:
            return {}
        if self._changes < _CHANGES_MAX and 2 * (self._entries + len(changed)) <= len(read):
            return {f"waiting {self._changes + 1}": _pack(changed)}
        whole: dict[str, bytes | None] = {"waiting 0": _pack(read)}
        return whole | {f"waiting {number}": None for number in range(1, self._changes + 1)}


def _pack(names: AbstractSet[bytes]) -> bytes:
    return b"".join(sorted(names))


def _unpack(packed: bytes) -> set[bytes]:
    return {packed[at : at + _BYTES] for at in range(0, len(packed), _BYTES)}
