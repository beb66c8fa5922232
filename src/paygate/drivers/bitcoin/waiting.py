"""The unconfirmed transactions that were already read.

A node lists all unconfirmed transactions each time, and there can be hundreds of thousands.
Reading one again shows nothing new, so those that were read are remembered: by the first bytes of
their ids, as a set and the changes since. So what is stored each time grows with the number of
new transactions, not with the number that wait.

The first bytes are enough. A transaction with the same first bytes as another is not seen until
it is in a block, and in a block every transaction is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

_BYTES: Final = 8
_CHANGES_MAX: Final = 32


def short(id_: str) -> bytes:
    """Return the first bytes of a transaction's id."""
    return bytes.fromhex(id_[: 2 * _BYTES])


class Waiting:
    """The unconfirmed transactions that were read, by their short ids, from *memory*."""

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
        """Return what to store so that *read* are the transactions that were read."""
        changed = self.read ^ read
        if not changed:
            return {}
        if self._changes < _CHANGES_MAX and 2 * (self._entries + len(changed)) <= len(read):
            return {f"waiting {self._changes + 1}": _pack(changed)}
        whole: dict[str, bytes | None] = {"waiting 0": _pack(read)}
        return whole | {f"waiting {number}": None for number in range(1, self._changes + 1)}


def _pack(ids: AbstractSet[bytes]) -> bytes:
    return b"".join(sorted(ids))


def _unpack(packed: bytes) -> set[bytes]:
    return {packed[at : at + _BYTES] for at in range(0, len(packed), _BYTES)}
