"""Addresses, blocks and a long catching up, without a network.

The block has 1 MB of ordinary transactions with two inputs and two outputs. The floor reads the
same bytes, finds the end of every part, and checks that the header covers the transactions and the
first of them the witnesses. A million scripts are random bytes rather than derived: looking one up
costs the same.
"""

from __future__ import annotations

import json
import os
import random
import resource
import time
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import wallycore

from benchmarks.rounds import Measured, Target, take_turns
from paygate.dialogue import Request, Response
from paygate.drivers.bitcoin import Bitcoin, BitcoinSettings
from paygate.drivers.bitcoin.blocks import read_block
from paygate.drivers.bitcoin.descriptors import read_wallet
from paygate.drivers.bitcoin.networks import BitcoinNetwork
from paygate.drivers.bitcoin.scripts import PER_ROW, Scripts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paygate.drivers.bitcoin.descriptors import Wallet

XPUB = (
    "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yf"
    "dDEHGCtMMj92pReUsQ"
)
ADDRESSES = 2_000
WATCHED = 1_000_000
REMEMBERED = 100_000
BLOCK_BYTES = 1_000_000
BLOCKS = 10_000


def measure(rounds: int) -> list[Measured]:
    return [_addresses(rounds), _scan(rounds), _catching_up()]


def _addresses(rounds: int) -> Measured:
    wallet = read_wallet(f"wpkh({XPUB}/0/*)", BitcoinNetwork.MAIN)
    native = wallycore.descriptor_parse(
        wallet.descriptor, None, wallycore.WALLY_NETWORK_BITCOIN_MAINNET, 0
    )

    def bare(number: int) -> None:
        wallycore.descriptor_to_address(native, 0, 0, number, 0)

    ours, floor = take_turns(
        rounds, partial(_per_second, wallet.address), partial(_per_second, bare)
    )
    return Measured(
        name="bitcoin, addresses",
        floor_name="bare wallycore",
        unit="addresses/s",
        ours=ours,
        floor=floor,
        target=Target(bound=0.8, at_least=True),
        notes={
            "scripts for watching, /s": _per_second(wallet.script),
            "start with 100,000 remembered, ms": _start_ms(wallet),
        },
    )


def _start_ms(wallet: Wallet) -> float:
    """Return how long a process takes to load the scripts that another one has derived."""
    row = b"".join(b"\0\x14" + number.to_bytes(20, "little") for number in range(PER_ROW))
    memory = {f"scripts {number}": row for number in range(REMEMBERED // PER_ROW)}
    started = time.process_time()
    Scripts(wallet).extend(REMEMBERED, memory)
    return (time.process_time() - started) * 1000


def _per_second(derive: Callable[[int], Any]) -> float:
    started = time.process_time()
    for number in range(ADDRESSES):
        derive(number)
    return ADDRESSES / (time.process_time() - started)


def _scan(rounds: int) -> Measured:
    chance = random.Random(7)  # noqa: S311
    block = _block("00" * 32, _transactions(chance, BLOCK_BYTES))
    before = _resident_mb()
    watched = {b"\0\x14" + chance.randbytes(20): number for number in range(WATCHED)}
    memory = _resident_mb() - before
    spent = {chance.randbytes(36) for _ in range(100)}  # of payments that are not deep yet

    def ours() -> float:
        started = time.process_time()
        read_block(block, watched, spent)
        return (time.process_time() - started) * 1000

    def floor() -> float:
        started = time.process_time()
        assert _bare_parse(block) == len(block)
        return (time.process_time() - started) * 1000

    measured, bare = take_turns(rounds, ours, floor)
    return Measured(
        name="bitcoin, scan",
        floor_name="a bare parse that checks the hash trees",
        unit="ms CPU / 1 MB block",
        ours=measured,
        floor=bare,
        target=Target(bound=1.5, at_least=False),
        notes={"memory of 1,000,000 scripts, MB": memory},
    )


def _catching_up() -> Measured:
    """Read 10,000 blocks; after the first half, memory must not grow any more."""
    settings = BitcoinSettings(
        network=BitcoinNetwork.REGTEST,
        wallet=f"wpkh({_tpub()}/0/*)",
        url="http://127.0.0.1:1",
        rates={},
        mempool=False,
        start_height=0,
    )
    gateway, chain = Bitcoin(settings), _Chain(BLOCKS)
    cursor, behind, largest, halfway = "", BLOCKS, 0, 0.0
    memory: dict[str, bytes] = {}
    started = time.process_time()
    while behind:
        page = _read_page(gateway, chain, cursor, memory)
        cursor, behind = page.cursor, page.behind
        for name, value in page.memory.items():
            if value is None:
                del memory[name]
            else:
                memory[name] = value
        blocks = sum(len(value) for name, value in memory.items() if name.startswith("block "))
        largest = max(largest, blocks + len(cursor))
        if behind >= BLOCKS // 2:
            halfway = _resident_mb()
    spent = time.process_time() - started
    return Measured(
        name="bitcoin, catching up",
        floor_name="memory after half of 10,000 blocks",
        unit="MB",
        ours=[_resident_mb()] * 2,
        floor=[halfway] * 2,
        target=Target(bound=1.05, at_least=False),
        notes={
            "small blocks, /s of CPU": BLOCKS / spent,
            "position and blocks, kB": largest / 1000,
        },
    )


def _read_page(gateway: Bitcoin, chain: _Chain, cursor: str, memory: dict[str, bytes]) -> Any:
    dialogue = gateway.watch(cursor, 100, memory)
    request = next(dialogue)
    while True:
        assert isinstance(request, Request)
        try:
            request = dialogue.send(chain.answer(request))
        except StopIteration as end:
            return end.value


class _Chain:
    """Small blocks, made once, with a coinbase and three transactions each."""

    def __init__(self, length: int) -> None:
        chance = random.Random(11)  # noqa: S311
        self._raw: dict[str, bytes] = {}
        self._names: list[str] = []
        previous = "00" * 32
        for _ in range(length + 1):
            raw = _block(previous, _transactions(chance, 1000))
            previous = _hash(raw[:80])[::-1].hex()
            self._names.append(previous)
            self._raw[previous] = raw

    def answer(self, request: Request) -> Response:
        asked = json.loads(request.body)
        entries = asked if isinstance(asked, list) else [asked]
        replies = [
            {"id": each["id"], "error": None, "result": self._result(each)} for each in entries
        ]
        return Response(
            status=200, body=json.dumps(replies if isinstance(asked, list) else replies[0]).encode()
        )

    def _result(self, entry: dict[str, Any]) -> Any:
        match entry["method"]:
            case "getblockhash":
                return self._names[entry["params"][0]]
            case "getblock":
                return self._raw[entry["params"][0]].hex()
            case _:
                height = len(self._names) - 1
                return {"chain": "regtest", "blocks": height, "bestblockhash": self._names[-1]}


# --- Bytes ---------------------------------------------------------------------------------------


def _hash(data: bytes) -> bytes:
    return sha256(sha256(data).digest()).digest()


def _varint(number: int) -> bytes:
    return bytes([number]) if number < 0xFD else b"\xfd" + number.to_bytes(2, "little")


def _transactions(chance: random.Random, size: int) -> Iterator[_Made]:
    made = 0
    while made < size:
        inputs = b"".join(
            chance.randbytes(32) + chance.randbytes(4) + b"\0" + b"\xfd\xff\xff\xff"
            for _ in range(2)
        )
        outputs = b"".join(
            chance.randrange(10**9).to_bytes(8, "little") + b"\x16\0\x14" + chance.randbytes(20)
            for _ in range(2)
        )
        witness = b"".join(
            b"\x02\x47" + chance.randbytes(71) + b"\x21" + chance.randbytes(33) for _ in range(2)
        )
        transaction = _Made(b"\x02" + inputs + b"\x02" + outputs, witness)
        made += len(transaction.raw)
        yield transaction


@dataclass(frozen=True, slots=True)
class _Made:
    """A transaction with witnesses: its inputs and outputs, and the witnesses (BIP 144)."""

    body: bytes
    witness: bytes

    @property
    def raw(self) -> bytes:
        return b"\2\0\0\0\0\1" + self.body + self.witness + b"\0\0\0\0"

    @property
    def id(self) -> bytes:
        return _hash(b"\2\0\0\0" + self.body + b"\0\0\0\0")


def _coinbase(others: list[_Made]) -> _Made:
    """Return the first transaction of a block, which commits to the witnesses of all (BIP 141)."""
    commitment = _hash(_root([bytes(32), *(_hash(each.raw) for each in others)]) + bytes(32))
    inputs = b"\x01" + bytes(32) + b"\xff\xff\xff\xff" + b"\x04\x03\x01\0\0" + b"\xff" * 4
    outputs = b"\x01" + bytes(8) + b"\x26\x6a\x24\xaa\x21\xa9\xed" + commitment
    return _Made(inputs + outputs, b"\x01\x20" + bytes(32))


def _root(row: list[bytes]) -> bytes:
    while len(row) > 1:
        row = row + row[-1:] * (len(row) % 2)
        row = [_hash(row[at] + row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def _block(previous: str, transactions: Iterator[_Made]) -> bytes:
    others = list(transactions)
    inside = [_coinbase(others), *others]
    root = _root([each.id for each in inside])
    header = b"\0\0\0\x20" + bytes.fromhex(previous)[::-1] + root + b"\1" * 12
    return header + _varint(len(inside)) + b"".join(each.raw for each in inside)


def _count(raw: bytes, at: int) -> tuple[int, int]:
    first = raw[at]
    if first < 0xFD:
        return first, at + 1
    return int.from_bytes(raw[at + 1 : at + 3], "little"), at + 3


def _bare_parse(raw: bytes) -> int:
    """Find the end of every part of a block, check both hash trees, and return its end."""
    total, at = _count(raw, 80)
    ids: list[bytes] = []
    with_witness: list[bytes] = []
    for _ in range(total):
        start = at
        at += 6
        inputs, at = _count(raw, at)
        for _ in range(inputs):
            length, at = _count(raw, at + 36)
            at += length + 4
        outputs, at = _count(raw, at)
        for _ in range(outputs):
            length, at = _count(raw, at + 8)
            at += length
        body_ends = at
        for _ in range(inputs):
            items, at = _count(raw, at)
            for _ in range(items):
                length, at = _count(raw, at)
                at += length
        at += 4
        ids.append(_hash(raw[start : start + 4] + raw[start + 6 : body_ends] + raw[at - 4 : at]))
        with_witness.append(_hash(raw[start:at]))
    assert _root(ids) == raw[36:68]
    with_witness[0] = bytes(32)
    commitment = _hash(_root(with_witness) + bytes(32))
    assert commitment in raw[80:300]
    return at


def _tpub() -> str:
    raw = bytearray(wallycore.base58_to_bytes(XPUB, wallycore.BASE58_FLAG_CHECKSUM))
    raw[:4] = bytes.fromhex("043587cf")
    made: str = wallycore.base58_from_bytes(bytes(raw), wallycore.BASE58_FLAG_CHECKSUM)
    return made


def _resident_mb() -> float:
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
