"""Blocks and transactions as bytes, as every node has them.

Reading the bytes rather than a node's JSON leaves no float and no node's taste in
it: a block is found out by its hash, an output by its script, an amount is an
integer. Only what pays to us, or spends what we wait for, is looked at closer.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from paygate.driver import BadReply
from paygate.drivers.bitcoin.payment_uri import COINS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

HEADER: Final = 80
OUTPOINT: Final = 36
"""How long the name of an output is in a transaction."""
NO_OUTPUT: Final = b"\0" * 32
# A transaction may be replaced where one of its inputs has a smaller number (BIP 125).
_FINAL: Final = 0xFFFFFFFE


@dataclass(frozen=True, slots=True)
class Payment:
    """An output that pays to one of our places."""

    output: int
    satoshis: int
    place: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction that concerns us: what it pays us, and which outputs it spends."""

    id: str
    payments: tuple[Payment, ...]
    spends: tuple[bytes, ...]
    coinbase: bool
    replaceable: bool


@dataclass(frozen=True, slots=True)
class Block:
    """A block: its name, the one before, when it was made, and what in it concerns us."""

    hash: str
    previous: str
    time: int
    transactions: tuple[Transaction, ...]


def read_block(raw: bytes, watched: Mapping[bytes, int], spent: Container[bytes]) -> Block:
    """Read a block; *watched* are scripts by place, *spent* the outputs others may spend."""
    header = raw[:HEADER]
    found: list[Transaction] = []
    look = watched.get
    try:
        count, at = _count(raw, HEADER)
        for _ in range(count):
            at = _transaction(raw, at, look, spent, found)
    except IndexError:
        at = -1
    if at != len(raw):
        raise BadReply("the node sent a block that ends in the middle")
    return Block(
        hash=named(header),
        previous=header[4:36][::-1].hex(),
        time=int.from_bytes(header[68:72], "little"),
        transactions=tuple(found),
    )


def read_transaction(
    raw: bytes, watched: Mapping[bytes, int], spent: Container[bytes]
) -> Transaction | None:
    """Read one transaction; None where it does not concern us."""
    found: list[Transaction] = []
    try:
        at = _transaction(raw, 0, watched.get, spent, found)
    except IndexError:
        at = -1
    if at != len(raw):
        raise BadReply("the node sent a transaction that ends in the middle")
    return found[0] if found else None


def named(data: bytes) -> str:
    """Name a header or transaction by its hash, as nodes write it."""
    return sha256(sha256(data).digest()).digest()[::-1].hex()


def _count(raw: bytes, at: int) -> tuple[int, int]:
    first = raw[at]
    if first < 0xFD:
        return first, at + 1
    size = 1 << (first - 0xFC)
    if at + size >= len(raw):
        raise IndexError
    return int.from_bytes(raw[at + 1 : at + 1 + size], "little"), at + 1 + size


def _transaction(
    raw: bytes,
    at: int,
    look: Callable[[bytes], int | None],
    spent: Container[bytes],
    found: list[Transaction],
) -> int:
    """Read the transaction at *at*, add it to *found* if it concerns us, tell where it ends."""
    start = at
    segwit = raw[at + 4] == 0
    at += 6 if segwit else 4
    inside = at
    count, at = _count(raw, at)
    inputs_at, inputs, ours = at, count, False
    # Lengths of one byte, which almost all are, are read in place: a call would cost more.
    for _ in range(count):
        end = at + 36
        if raw[at:end] in spent:
            ours = True
        length = raw[end]
        if length < 0xFD:
            at = end + 5 + length
        else:
            length, at = _count(raw, end)
            at += length + 4
    count, at = _count(raw, at)
    payments: list[Payment] | None = None
    for number in range(count):
        length = raw[at + 8]
        begin = at + 9
        if length >= 0xFD:
            length, begin = _count(raw, at + 8)
        end = begin + length
        place = look(raw[begin:end])
        if place is not None:
            satoshis = int.from_bytes(raw[at : at + 8], "little")
            if satoshis > COINS_MAX:
                raise BadReply("the node tells of more bitcoin than there can be")
            payments = payments or []
            if satoshis:
                payments.append(Payment(number, satoshis, place))
        at = end
    outside = at
    if segwit:
        for _ in range(inputs):
            count = raw[at]
            at += 1
            if count >= 0xFD:
                count, at = _count(raw, at - 1)
            for _ in range(count):
                length = raw[at]
                if length < 0xFD:
                    at += 1 + length
                else:
                    length, at = _count(raw, at)
                    at += length
    end = at + 4
    if end > len(raw):
        raise IndexError
    if ours or payments:
        spends, replaceable, coinbase = _inputs(raw, inputs_at, inputs)
        body = raw[start : start + 4] + raw[inside:outside] + raw[at:end]
        found.append(Transaction(named(body), tuple(payments or ()), spends, coinbase, replaceable))
    return end


def _inputs(raw: bytes, at: int, count: int) -> tuple[tuple[bytes, ...], bool, bool]:
    spends: list[bytes] = []
    replaceable = coinbase = False
    for _ in range(count):
        if raw[at : at + 32] == NO_OUTPUT:
            coinbase = True
        else:
            spends.append(raw[at : at + OUTPOINT])
        length, at = _count(raw, at + OUTPOINT)
        at += length
        replaceable = replaceable or int.from_bytes(raw[at : at + 4], "little") < _FINAL
        at += 4
    return tuple(spends), replaceable, coinbase
