"""The output scripts of a wallet's addresses, by which payments are found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.drivers.bitcoin.descriptors import Wallet

PER_ROW: Final = 1000


class Scripts:
    """The scripts of the first addresses of a wallet, and the number of each address.

    Deriving a script takes a multiplication on the curve, so each is derived once and then stored
    in the memory of the feed, in rows of `PER_ROW` scripts of equal length.
    """

    def __init__(self, wallet: Wallet) -> None:
        self._wallet = wallet
        self._rows = 0
        self._derived: dict[str, bytes] = {}
        self.places: dict[bytes, int] = {}
        """The number of the address that each script pays to."""

    def extend(self, count: int, memory: Mapping[str, bytes]) -> dict[str, bytes | None]:
        """Learn at least the first *count* scripts; return the rows that are still to be stored."""
        rows = -(-count // PER_ROW)
        for number in range(self._rows, rows):
            name = f"scripts {number}"
            packed = memory.get(name)
            if packed is None:
                first = number * PER_ROW
                packed = b"".join(map(self._wallet.script, range(first, first + PER_ROW)))
                self._derived[name] = packed
            length = len(packed) // PER_ROW
            for at in range(PER_ROW):
                script = packed[at * length : (at + 1) * length]
                self.places[script] = number * PER_ROW + at
        self._rows = max(self._rows, rows)
        # A page that returned a row may not have been stored, so it is returned until it is.
        self._derived = {
            name: packed for name, packed in self._derived.items() if name not in memory
        }
        return dict(self._derived)
