"""Blocks and transactions in their binary form.

Unlike JSON, bytes hold no floats and are the same at every node: a block has its hash, an output
its script, and an amount is an integer. Only transactions that pay to us, or spend an output that
we wait for, are read in full.

A block's hash covers only its header, so the transactions are verified against the header: their
ids by the root of its hash tree, and their witnesses by the commitment in the first transaction
(BIP 141). So nobody between us and the node can leave out or add a transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from paygate.driver import BadResponse
from paygate.drivers.bitcoin.payment_uri import COINS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

HEADER: Final = 80
OUTPOINT: Final = 36
"""The length of a reference to an output in a transaction."""
NO_OUTPUT: Final = b"\0" * 32
# A transaction may be replaced if one of its inputs has a smaller number (BIP 125).
_FINAL: Final = 0xFFFFFFFE


@dataclass(frozen=True, slots=True)
class AddressOutput:
    """An output that pays to one of our addresses."""

    output: int
    satoshis: int
    place: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction that concerns us: what it pays to us, and which outputs it spends."""

    id: str
    payments: tuple[AddressOutput, ...]
    spends: tuple[bytes, ...]
    coinbase: bool
    replaceable: bool


@dataclass(frozen=True, slots=True)
class Block:
    """A block: its hash, the previous one, its time, and the transactions that concern us."""

    hash: str
    previous: str
    time: int
    transactions: tuple[Transaction, ...]


def read_block(raw: bytes, watched: Mapping[bytes, int], spent: Container[bytes]) -> Block:
    """Return a block; *watched* are our scripts, *spent* the outputs whose spending matters."""
    header = raw[:HEADER]
    found: list[Transaction] = []
    leaves = _Leaves()
    look = watched.get
    first = HEADER
    try:
        count, at = _count(raw, HEADER)
        first = at
        for _ in range(count):
            at = _transaction(raw, at, look, spent, found, leaves)
    except IndexError:
        at = -1
    if at != len(raw) or not leaves.ids:
        raise BadResponse("the node sent a block that is incomplete")
    if _root(leaves.ids) != header[36:68] or not _witnessed(raw, first, leaves):
        raise BadResponse("the node sent a block whose transactions do not match its header")
    return Block(
        hash=named(header),
        previous=header[4:36][::-1].hex(),
        time=int.from_bytes(header[68:72], "little"),
        transactions=tuple(found),
    )


def read_transaction(
    raw: bytes, watched: Mapping[bytes, int], spent: Container[bytes]
) -> Transaction | None:
    """Return an unconfirmed transaction; None if it does not concern us."""
    found: list[Transaction] = []
    try:
        at = _transaction(raw, 0, watched.get, spent, found, _Leaves())
    except IndexError:
        at = -1
    if at != len(raw):
        raise BadResponse("the node sent a transaction that is incomplete")
    return found[0] if found else None


def named(data: bytes) -> str:
    """Return the hash of a header or transaction, as nodes write it."""
    return _twice(data)[::-1].hex()


def _twice(data: bytes) -> bytes:
    return sha256(sha256(data).digest()).digest()


# --- Verifying against the header -------------------------------------------------------------

# OP_RETURN, the length, and the tag of BIP 141; the hash follows.
_COMMITMENT: Final = bytes.fromhex("6a24aa21a9ed")


@dataclass(slots=True)
class _Leaves:
    """The hashes of the transactions of a block, without and with their witnesses."""

    ids: list[bytes] = field(default_factory=list[bytes])
    with_witness: list[bytes] = field(default_factory=list[bytes])


def _root(leaves: list[bytes]) -> bytes:
    """Return the root of the hash tree; empty if a branch repeats its neighbor.

    The last hash of a row of odd length counts twice, so a block with repeated transactions,
    which no node accepts, could have the same root (CVE-2012-2459).
    """
    row = leaves
    while len(row) > 1:
        if any(row[at] == row[at + 1] for at in range(0, len(row) - 1, 2)):
            return b""
        if len(row) % 2:
            row = [*row, row[-1]]
        row = [_twice(row[at] + row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def _witnessed(raw: bytes, first: int, leaves: _Leaves) -> bool:
    """Return whether the block's first transaction commits to these witnesses."""
    commitment, reserved = _commitment(raw, first)
    if commitment is None:
        return leaves.ids == leaves.with_witness
    root = _root([bytes(32), *leaves.with_witness[1:]])
    return _twice(root + reserved) == commitment


def _has_witnesses(raw: bytes, at: int) -> bool:
    """Return whether the marker and flag of witnesses are at *at* (BIP 144)."""
    if raw[at] != 0:
        return False
    if raw[at + 1] != 1:  # no hash covers the flag of the first transaction
        raise BadResponse("the node sent a transaction with an unknown flag")
    return True


def _commitment(raw: bytes, at: int) -> tuple[bytes | None, bytes]:
    """Return the commitment in the first transaction, at *at*, and its reserved value."""
    segwit = _has_witnesses(raw, at + 4)
    count, at = _count(raw, at + (6 if segwit else 4))
    for _ in range(count):
        length, at = _count(raw, at + OUTPOINT)
        at += length + 4
    count, at = _count(raw, at)
    found: bytes | None = None
    for _ in range(count):
        length, begin = _count(raw, at + 8)
        at = begin + length
        script = raw[begin:at]
        if length >= 38 and script.startswith(_COMMITMENT):
            found = script[6:38]  # the last one counts
    return found, raw[at + 2 : at + 34] if segwit else b""


# --- Reading ----------------------------------------------------------------------------------


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
    leaves: _Leaves,
) -> int:
    """Return the end of the transaction at *at*; add it to *found* if it concerns us."""
    start = at
    segwit = _has_witnesses(raw, at + 4)
    at += 6 if segwit else 4
    inside = at
    count, at = _count(raw, at)
    inputs_at, inputs, ours = at, count, False
    # Almost all lengths have one byte. They are read in place, because a call would be slower.
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
    payments: list[AddressOutput] | None = None
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
                raise BadResponse("the node reports more bitcoin than can exist")
            payments = payments or []
            if satoshis:
                payments.append(AddressOutput(number, satoshis, place))
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
    body = raw[start : start + 4] + raw[inside:outside] + raw[at:end]
    id_ = _twice(body)
    leaves.ids.append(id_)
    leaves.with_witness.append(_twice(raw[start:end]) if segwit else id_)
    if ours or payments:
        spends, replaceable, coinbase = _inputs(raw, inputs_at, inputs)
        name = id_[::-1].hex()
        found.append(Transaction(name, tuple(payments or ()), spends, coinbase, replaceable))
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
