"""bcoin, an independent full node, on loopback and with blocks of our own making.

Its chain is a test chain, whose coins lie where anybody can spend them: so the
tests need no key.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest
import wallycore

# Otherwise its test addresses begin like nobody else's.
PREFIXES = """
const r = require('bcoin/lib/protocol/networks').regtest;
Object.assign(r.keyPrefix, {privkey: 0xef, xpubkey: 0x043587cf, xprivkey: 0x04358394,
  xpubkey58: 'tpub', xprivkey58: 'tprv'});
Object.assign(r.addressPrefix, {pubkeyhash: 0x6f, scripthash: 0xc4, bech32: 'bcrt'});
"""
# Pays to a script that is always content: its redeem script is OP_TRUE.
ANYBODY = bytes.fromhex("a914") + wallycore.hash160(b"\x51") + b"\x87"
SUBSIDY = 50 * 10**8
FEE = 10_000
PATIENCE_S = 30


def double(data: bytes) -> bytes:
    return sha256(sha256(data).digest()).digest()


class Node:
    """The node's process, its RPC, and hands to build transactions and blocks with."""

    def __init__(self, home: Path, folder: Path, port: int, wallet_port: int) -> None:
        self._home, self._folder = home, folder
        self._port, self._wallet_port = port, wallet_port
        self.url = f"http://127.0.0.1:{port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._coins: list[tuple[str, int]] = []
        self._serial = 0
        (folder / "w" / "wallet").mkdir(parents=True)
        (folder / "prefixes.js").write_text(PREFIXES)

    def start(self) -> None:
        """Start the node; its chain is the one it had."""
        options = {
            "network": "regtest",
            "memory": "false",
            "prefix": str(self._folder),
            "wallet-prefix": str(self._folder / "w"),
            "log-file": "false",
            "log-level": "warning",
            "workers": "false",
            "listen": "false",
            "max-outbound": "1",
            "no-dns": "true",
            "host": "127.0.0.1",
            "http-host": "127.0.0.1",
            "http-port": str(self._port),
            "wallet-http-host": "127.0.0.1",
            "wallet-http-port": str(self._wallet_port),
            "api-key": "test",
            "wallet-api-key": "test",
            "index-tx": "true",
        }
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "node",
                    "-r",
                    str(self._folder / "prefixes.js"),
                    "--max-old-space-size=256",
                    str(self._home / "node_modules" / "bcoin" / "bin" / "node"),
                    *(f"--{name}={value}" for name, value in options.items()),
                ],
                cwd=self._home,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={
                    **os.environ,
                    "NODE_BACKEND": "js",
                    "BCOIN_NETWORK": "regtest",
                    "NODE_PATH": str(self._home / "node_modules"),
                },
            )
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self.rpc("getblockcount")
            except (URLError, ConnectionError):
                time.sleep(0.1)
            else:
                return
        pytest.fail(f"bcoin did not start:\n{(self._folder / 'log').read_text()[-3000:]}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=PATIENCE_S)
            self._process = None

    def rpc(self, method: str, *params: object) -> Any:
        request = Request(  # noqa: S310  (a fixed address of loopback)
            self.url,
            data=json.dumps({"id": 1, "method": method, "params": params}).encode(),
            headers={
                "Authorization": "Basic " + base64.b64encode(b"x:test").decode(),
                "Content-Type": "application/json",
            },
        )
        try:
            with urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310
                told = json.load(answer)
        except HTTPError as error:
            told = json.load(error)
        assert told["error"] is None, (method, told["error"])
        return told["result"]

    # --- The chain -----------------------------------------------------------------------------

    def mine(self, count: int = 1) -> list[str]:
        """Mine blocks of what waits; their coins are anybody's."""
        address = wallycore.scriptpubkey_to_address(
            ANYBODY, wallycore.WALLY_NETWORK_BITCOIN_REGTEST
        )
        mined: list[str] = self.rpc("generatetoaddress", count, address)
        return mined

    def begin(self) -> None:
        """Mine until coins are ripe and witnesses are valid."""
        for hash_ in self.mine(440)[:30]:
            self._coins.append((self.rpc("getblock", hash_)["tx"][0], SUBSIDY))

    def coin(self) -> tuple[str, int]:
        """Take a ripe coin that nobody else takes."""
        txid, value = self._coins.pop(0)
        return f"{txid}:0", value

    def pay(self, coin: tuple[str, int], *outputs: tuple[bytes, int]) -> bytes:
        """Make a transaction that spends *coin* to these (script, satoshis) and back to anybody."""
        name, value = coin
        txid, _, number = name.partition(":")
        change = value - FEE - sum(paid for _, paid in outputs)
        script = b"\x01\x51"  # the redeem script
        wanted = [*outputs, (ANYBODY, change)]
        return (
            b"\x02\0\0\0\x01"
            + bytes.fromhex(txid)[::-1]
            + int(number).to_bytes(4, "little")
            + bytes([len(script)])
            + script
            + b"\xff\xff\xff\xff"
            + bytes([len(wanted)])
            + b"".join(paid.to_bytes(8, "little") + bytes([len(to)]) + to for to, paid in wanted)
            + b"\0\0\0\0"
        )

    def send(self, raw: bytes) -> str:
        """Hand a transaction to the mempool, and wait: the node names it before it has looked."""
        id_: str = self.rpc("sendrawtransaction", raw.hex())
        deadline = time.monotonic() + PATIENCE_S
        while id_ not in self.rpc("getrawmempool"):
            assert time.monotonic() < deadline, "the node refused the transaction"
            time.sleep(0.02)
        return id_

    def build(self, parent: str, height: int, *transactions: bytes) -> tuple[str, bytes]:
        """Make a block on *parent* by hand; tell its name and bytes."""
        facts = self.rpc("getblockheader", parent)
        self._serial += 1
        lock = height.to_bytes(2, "little")
        signature = bytes([2]) + lock + bytes([4]) + self._serial.to_bytes(4, "little")
        value = SUBSIDY >> (height // 150)
        coinbase = (
            b"\x01\0\0\0\x01"
            + b"\0" * 32
            + b"\xff" * 4
            + bytes([len(signature)])
            + signature
            + b"\xff" * 4
            + b"\x01"
            + value.to_bytes(8, "little")
            + bytes([len(ANYBODY)])
            + ANYBODY
            + b"\0" * 4
        )
        inside = [coinbase, *transactions]
        level = [double(tx) for tx in inside]
        while len(level) > 1:
            level += level[-1:] if len(level) % 2 else []
            level = [double(level[n] + level[n + 1]) for n in range(0, len(level), 2)]
        head = (
            (0x20000000).to_bytes(4, "little")
            + bytes.fromhex(parent)[::-1]
            + level[0]
            + (facts["mediantime"] + 600 + self._serial).to_bytes(4, "little")
            + (0x207FFFFF).to_bytes(4, "little")
        )
        nonce = 0
        while int.from_bytes(double(head + nonce.to_bytes(4, "little")), "little") >> 255:
            nonce += 1
        header = head + nonce.to_bytes(4, "little")
        return double(header)[::-1].hex(), header + bytes([len(inside)]) + b"".join(inside)

    def submit(self, *blocks: bytes) -> None:
        for raw in blocks:
            assert self.rpc("submitblock", raw.hex()) is None

    def branch(self, parent: str, *contents: tuple[bytes, ...]) -> list[str]:
        """Build blocks with *contents* on *parent*, one on the other, and submit them."""
        height = int(self.rpc("getblockheader", parent)["height"])
        names: list[str] = []
        for number, transactions in enumerate(contents, start=1):
            # A header can be asked for only when its block is there, so one after the other.
            name, raw = self.build(parent, height + number, *transactions)
            self.submit(raw)
            names.append(name)
            parent = name
        return names

    def raw_block(self, name: str) -> bytes:
        return bytes.fromhex(self.rpc("getblock", name, False))  # noqa: FBT003

    @property
    def tip(self) -> str:
        best: str = self.rpc("getbestblockhash")
        return best
