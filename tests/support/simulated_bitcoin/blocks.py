"""Transactions and blocks, as bytes; their coins come from nowhere and nobody signs."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_serial = count(1)


@dataclass(frozen=True)
class Tx:
    """A transaction; `stripped` is what its id is made of, `spends` the outputs it takes."""

    raw: bytes
    stripped: bytes
    spends: tuple[str, ...] = ()
    coinbase: tuple[tuple[bytes, int], ...] = ()

    @property
    def id(self) -> str:
        """The id, as people write it."""
        return double(self.stripped)[::-1].hex()


@dataclass(frozen=True)
class Block:
    """A block; the first of its transactions makes coins."""

    raw: bytes
    previous: str
    transactions: tuple[Tx, ...] = ()

    @property
    def hash(self) -> str:
        """The name, as people write it."""
        return double(self.raw[:80])[::-1].hex()


def double(data: bytes) -> bytes:
    """Hash twice, as everything in a chain is."""
    return sha256(sha256(data).digest()).digest()


def transaction(
    *outputs: tuple[bytes, int],
    spends: str | None = None,
    also_spends: Sequence[str] = (),
    replaceable: bool = False,
    segwit: bool = True,
    coinbase: bool = False,
) -> Tx:
    """
    Make a transaction with these outputs (script, satoshis).

    It spends a coin of its own by default, or the outputs named as ``txid:number``.
    """
    spent = [spends or f"{next(_serial):064x}:0", *also_spends]
    if coinbase:
        sources = [b"\0" * 32 + b"\xff" * 4]
        script = next(_serial).to_bytes(8, "little")
    else:
        sources = [_outpoint(each) for each in spent]
        script = b"" if segwit else b"\x51" * 300
    sequence = b"\xfd\xff\xff\xff" if replaceable else b"\xff\xff\xff\xff"
    inputs = _varint(len(sources)) + b"".join(
        each + _varint(len(script)) + script + sequence for each in sources
    )
    paid = _varint(len(outputs)) + b"".join(
        value.to_bytes(8, "little") + _varint(len(script)) + script for script, value in outputs
    )
    version, lock = b"\x02\0\0\0", b"\0\0\0\0"
    stripped = version + inputs + paid + lock
    if coinbase:
        return Tx(stripped, stripped, coinbase=outputs)
    if not segwit:
        return Tx(stripped, stripped, tuple(spent))
    witness = _varint(2) + _varint(71) + b"\x30" * 71 + _varint(33) + b"\x02" * 33
    raw = version + b"\0\x01" + inputs + paid + witness * len(sources) + lock
    return Tx(raw, stripped, tuple(spent))


def block(
    previous: str, mined: Sequence[tuple[bytes, int]], others: Sequence[Tx], at: int
) -> Block:
    """Make the block after *previous*, made *at* that second, whose maker gets *mined*."""
    inside = [_first_of(mined, others), *others]
    header = (
        b"\0\0\0\x20"
        + bytes.fromhex(previous)[::-1]
        + _tree([double(tx.stripped) for tx in inside])
        + at.to_bytes(4, "little")
        + bytes.fromhex("ffff7f20")
        + next(_serial).to_bytes(4, "little")
    )
    raw = header + _varint(len(inside)) + b"".join(tx.raw for tx in inside)
    return Block(raw, previous, tuple(inside))


def _first_of(outputs: Sequence[tuple[bytes, int]], others: Sequence[Tx]) -> Tx:
    """Make the first transaction of a block, which commits to the witnesses of the others."""
    reserved = b"\x07" * 32
    root = _tree([bytes(32), *(double(tx.raw) for tx in others)])
    commitment = bytes.fromhex("6a24aa21a9ed") + double(root + reserved)
    made = transaction(*outputs, (commitment, 0), coinbase=True).raw
    return Tx(made[:4] + b"\0\x01" + made[4:-4] + b"\x01\x20" + reserved + made[-4:], made)


def _tree(hashes: Sequence[bytes]) -> bytes:
    """Make the root of a block's hash tree."""
    if len(hashes) == 1:
        return hashes[0]
    even = [*hashes, hashes[-1]] if len(hashes) % 2 else list(hashes)
    return _tree([double(one + other) for one, other in zip(even[::2], even[1::2], strict=True)])


def _varint(number: int) -> bytes:
    if number < 0xFD:
        return bytes([number])
    size, mark = (2, b"\xfd") if number < 2**16 else (4, b"\xfe")
    return mark + number.to_bytes(size, "little")


def _outpoint(name: str) -> bytes:
    """Write the name of an output as an input has it."""
    txid, _, number = name.partition(":")
    return bytes.fromhex(txid)[::-1] + int(number).to_bytes(4, "little")
