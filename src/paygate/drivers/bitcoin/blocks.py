"""Blocks and transactions as bytes, as every node has them.

Bytes hold no floats, and are the same at every node, unlike JSON: a block is known by its
hash, an output by its script, an amount is an integer. Only what pays to us, or spends what
we wait for, is looked at closer.

The hash covers the header alone, so the transactions are held against it: their ids by the
root of the hash tree in the header, and their witnesses by the commitment in the block's first
transaction (BIP 141). What sits between us and the node can then leave nothing out and add
nothing.
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
"""How long the name of an output is in a transaction."""
NO_OUTPUT: Final = b"\0" * 32
# A transaction may be replaced if one of its inputs has a smaller number (BIP 125).
_FINAL: Final = 0xFFFFFFFE


@dataclass(frozen=True, slots=True)
class AddressOutput:
    """An output that pays to one of our places."""

    output: int
    satoshis: int
    place: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction that concerns us: what it pays us, and which outputs it spends."""

    id: str
    payments: tuple[AddressOutput, ...]
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
        raise BadResponse("the node sent a block that ends in the middle")
    if _root(leaves.ids) != header[36:68] or not _witnessed(raw, first, leaves):
        raise BadResponse("the node sent a block whose transactions are not those of its header")
    return Block(
        hash=named(header),
        previous=header[4:36][::-1].hex(),
        time=int.from_bytes(header[68:72], "little"),
        transactions=tuple(found),
    )


def read_transaction(
    raw: bytes, watched: Mapping[bytes, int], spent: Container[bytes]
) -> Transaction | None:
    """Return one transaction; None if it does not concern us."""
    found: list[Transaction] = []
    try:
        at = _transaction(raw, 0, watched.get, spent, found, _Leaves())
    except IndexError:
        at = -1
    if at != len(raw):
        raise BadResponse("the node sent a transaction that ends in the middle")
    return found[0] if found else None


def named(data: bytes) -> str:
    """Return the hash of a header or transaction, as nodes write it."""
    return _twice(data)[::-1].hex()


def _twice(data: bytes) -> bytes:
    return sha256(sha256(data).digest()).digest()


# --- What the header promises -----------------------------------------------------------------

# OP_RETURN, the length, and the tag of BIP 141; the hash follows.
_COMMITMENT: Final = bytes.fromhex("6a24aa21a9ed")


@dataclass(slots=True)
class _Leaves:
    """The hashes of the transactions of a block, without and with their witnesses."""

    ids: list[bytes] = field(default_factory=list[bytes])
    with_witness: list[bytes] = field(default_factory=list[bytes])


def _root(leaves: list[bytes]) -> bytes:
    """Return the root of the hash tree; empty if the tree was padded with its own branches.

    The last hash of a row of odd length counts twice, so the same root is that of a block with
    transactions repeated, which no node accepts (CVE-2012-2459).
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
    """Return whether the witnesses are those that the block's first transaction commits to."""
    commitment, reserved = _commitment(raw, first)
    if commitment is None:
        return leaves.ids == leaves.with_witness
    root = _root([bytes(32), *leaves.with_witness[1:]])
    return _twice(root + reserved) == commitment


def _has_witnesses(raw: bytes, at: int) -> bool:
    """Return whether a marker and a flag, at *at*, say that witnesses follow (BIP 144)."""
    if raw[at] != 0:
        return False
    if raw[at + 1] != 1:  # no hash covers it in the first transaction
        raise BadResponse("the node sent a transaction with a flag that nobody knows")
    return True


def _commitment(raw: bytes, at: int) -> tuple[bytes | None, bytes]:
    """Return the commitment of the first transaction, at *at*, and the value reserved for it."""
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
    """Read the transaction at *at* into *found* if it concerns us, and return where it ends."""
    start = at
    segwit = _has_witnesses(raw, at + 4)
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
                raise BadResponse("the node shows more bitcoin than there can be")
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
