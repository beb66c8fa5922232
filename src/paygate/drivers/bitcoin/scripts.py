"""The output scripts of a wallet's addresses, by which payments are found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.drivers.bitcoin.descriptors import Wallet

PER_ROW: Final = 1000


class Scripts:
    """
    The scripts of the first addresses of a wallet, and the number of each address.

    To derive one takes a multiplication on the curve, so each is derived once and then remembered
    with what the feed remembers: in rows of `PER_ROW` scripts, which are all of one length.
    """

    def __init__(self, wallet: Wallet) -> None:
        self._wallet = wallet
        self._rows = 0
        self._derived: dict[str, bytes] = {}
        self.places: dict[bytes, int] = {}
        """The number of the address that each script pays to."""

    def extend(self, count: int, memory: Mapping[str, bytes]) -> dict[str, bytes | None]:
        """Know the first *count* scripts at least; return what is still to be remembered."""
        rows = -(-count // PER_ROW)
        for number in range(self._rows, rows):
            name = f"scripts {number}"
            packed = memory.get(name)
            if packed is None:
                first = number * PER_ROW
                packed = b"".join(map(self._wallet.script, range(first, first + PER_ROW)))
                self._derived[name] = packed
            self._add(number, packed)
        self._rows = max(self._rows, rows)
        # A page that reported it may not have been stored. Whatever is stored needs no second copy.
        self._derived = {
            name: packed for name, packed in self._derived.items() if name not in memory
        }
        return dict(self._derived)

    def _add(self, row: int, packed: bytes) -> None:
        length = len(packed) // PER_ROW
        for number in range(PER_ROW):
            at = number * length
            self.places[packed[at : at + length]] = row * PER_ROW + number
