"""Bitcoin Core's JSON-RPC, read without a wallet.

Blocks and transactions are asked for as bytes. ``getblock HASH false`` means that
to every version of Core, which takes the older true and false beside numbers.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any, Final, cast

from paygate.driver import BadResponse, CredentialsRejected, InvalidSettings, Request
from paygate.drivers.bitcoin.chain import BLOCK_BYTES_MAX, Tip
from paygate.drivers.bitcoin.networks import BitcoinNetwork
from paygate.drivers.bitcoin.rates import read_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.driver import Dialogue, Response
    from paygate.drivers.bitcoin.settings import BitcoinSettings

HASH: Final = re.compile(r"[0-9a-f]{64}")
HEIGHT_MAX: Final = 2**31
# A list of 300,000 names, which is more than nodes keep.
MEMPOOL_BYTES_MAX: Final = 25_000_000
BATCH_BYTES_MAX: Final = 20_000_000

_COOKIE: Final = re.compile(r"__cookie__:[\x21-\x7e]{1,200}")

_CHAINS: Final = {
    BitcoinNetwork.MAIN: "main",
    BitcoinNetwork.TEST: "test",
    BitcoinNetwork.SIGNET: "signet",
    BitcoinNetwork.REGTEST: "regtest",
}
_WARMING_UP: Final = -28


class CoreChain:
    """A node that speaks Core's RPC."""

    transactions_per_page = 5000

    def __init__(self, settings: BitcoinSettings) -> None:
        self._settings = settings

    def tip(self, next_height: int | None) -> Dialogue[Tip]:
        """Ask ``getblockchaininfo``."""
        answer: Any = yield from self._one("getblockchaininfo")
        facts = cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
        chain, wanted = facts.get("chain"), _CHAINS[self._settings.network]
        if chain != wanted:
            raise BadResponse(
                f"the node is on network {str(chain)[:20]!r}, the settings say {wanted}"
            )
        height = whole(facts.get("blocks"), "height")
        if facts.get("initialblockdownload") is True and self._settings.live:
            headers = whole(facts.get("headers"), "height")
            raise BadResponse(f"the node is still catching up: block {height} of {headers}")
        pruned: object = facts.get("pruneheight") if facts.get("pruned") is True else None
        if next_height is not None and type(pruned) is int and next_height < pruned <= height:
            raise BadResponse(
                f"the node has deleted the blocks before {pruned}, and {next_height} is the next "
                "to read; use a node that has it, or go on without those in between: paygate "
                f"bitcoin rescan --from {pruned}, and compare the addresses with the wallet by hand"
            )
        return Tip(height, name_of(facts.get("bestblockhash")))

    def hashes(self, first: int, count: int) -> Dialogue[Sequence[str]]:
        """Ask ``getblockhash`` for each, in one batch."""
        calls = [("getblockhash", [height]) for height in range(first, first + count)]
        answer = yield from self._many(calls, "hashes")
        return [name_of(each) for each in answer]

    def block(self, hash_: str) -> Dialogue[bytes]:
        """Ask ``getblock``."""
        answer = yield from self._one("getblock", hash_, False, bytes_max=2 * BLOCK_BYTES_MAX + 500)  # noqa: FBT003
        return unhex(answer)

    def mempool(self) -> Dialogue[Sequence[str]]:
        """Ask ``getrawmempool``."""
        answer = yield from self._one("getrawmempool", bytes_max=MEMPOOL_BYTES_MAX)
        if not isinstance(answer, list):
            raise BadResponse("the node's answer to getrawmempool is no list")
        return [name_of(each) for each in cast("list[object]", answer)]

    def transactions(self, ids: Sequence[str]) -> Dialogue[Sequence[bytes | None]]:
        """Ask ``getrawtransaction`` for each, in one batch."""
        calls = [("getrawtransaction", [id_]) for id_ in ids]
        answer = yield from self._many(calls, "transactions", lenient=True)
        return [None if each is None else unhex(each) for each in answer]

    # --- One request ----------------------------------------------------------------------------

    def _one(self, method: str, *params: object, bytes_max: int = 2_000_000) -> Dialogue[Any]:
        response = yield self._request(method, {**_call(method, params), "id": 0}, bytes_max)
        return _result(_entries(response)[0], method)

    def _many(
        self, calls: Sequence[tuple[str, list[Any]]], step: str, *, lenient: bool = False
    ) -> Dialogue[list[Any]]:
        body = [{**_call(*call), "id": number} for number, call in enumerate(calls)]
        response = yield self._request(step, body, BATCH_BYTES_MAX)
        by_id = {entry.get("id"): entry for entry in _entries(response)}
        if set(by_id) != set(range(len(calls))):
            raise BadResponse(f"the node did not answer each part of {step}")
        return [_result(by_id[number], step, lenient=lenient) for number in range(len(calls))]

    def _request(self, step: str, body: object, bytes_max: int) -> Request:
        return Request(
            method="POST",
            url=f"{self._settings.url}/",
            step=step,
            headers={
                "Content-Type": "application/json",
                "Authorization": f"Basic {self._credentials()}",
            },
            body=json.dumps(body).encode(),
            repeatable=True,
            answer_bytes_max=bytes_max,
        )

    def _credentials(self) -> str:
        settings = self._settings
        text = f"{settings.user}:{'' if settings.password is None else settings.password.reveal()}"
        if settings.cookie_file is not None:
            # The node writes another one at each start.
            try:
                text = settings.cookie_file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                raise InvalidSettings(
                    f"the node's cookie {settings.cookie_file} cannot be read: is the node running?"
                ) from None
            if not _COOKIE.fullmatch(text):
                # Whoever writes the settings must not have any other file sent to their server.
                raise InvalidSettings(
                    f"{settings.cookie_file} is not the cookie of a node: one begins with "
                    "__cookie__: and is a single line"
                )
        return base64.b64encode(text.encode()).decode()


def _call(method: str, params: Sequence[object]) -> dict[str, Any]:
    return {"jsonrpc": "1.0", "method": method, "params": list(params)}


def _entries(response: Response) -> list[dict[str, Any]]:
    if response.status in (401, 403):
        raise CredentialsRejected("the node does not take our user and password (or cookie)")
    answer = read_json(response.body)
    entries: list[Any] = [answer]
    if isinstance(answer, list):
        entries[:] = answer
    if not entries or not all(isinstance(entry, dict) for entry in entries):
        raise BadResponse(f"status {response.status}: the node's answer is no JSON-RPC")
    return entries


def _result(entry: dict[str, Any], method: str, *, lenient: bool = False) -> Any:
    error = entry.get("error")
    if error is None:
        if "result" not in entry:
            raise BadResponse(f"the node's answer to {method} is no JSON-RPC")
        return entry["result"]
    if lenient:
        return None
    facts = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
    code, text = facts.get("code"), str(facts.get("message", ""))[:200]
    if code == _WARMING_UP:
        raise BadResponse(f"the node is starting: {text}")
    if "prune" in text.lower():
        raise BadResponse("the node has deleted this block (pruned); use one that has it")
    raise BadResponse(f"the node refuses {method}: {code} {text}")


# --- What a node may answer ---------------------------------------------------------------------


def name_of(answer: object) -> str:
    """Read the name of a block or transaction."""
    if not isinstance(answer, str) or not HASH.fullmatch(answer):
        raise BadResponse("the node names a block or transaction by something else than its hash")
    return answer


def whole(answer: object, what: str) -> int:
    """Read a height."""
    if type(answer) is not int or not 0 <= answer < HEIGHT_MAX:
        raise BadResponse(f"the node gives a {what} that cannot be")
    return answer


def unhex(answer: object) -> bytes:
    """Read bytes in hex."""
    try:
        return bytes.fromhex(answer if isinstance(answer, str) else "-")
    except ValueError:
        raise BadResponse("the node sent something else than bytes in hex") from None
