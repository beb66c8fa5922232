"""Bitcoin Core's JSON-RPC, read without a wallet.

Blocks and transactions are asked for as bytes. ``getblock HASH false`` means that
to every version of Core, which takes the older true and false as well as numbers.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final

from paygate.driver import (
    BadResponse,
    CredentialsRejected,
    InvalidSettings,
    Request,
    json_body,
    read_json_value,
)
from paygate.drivers.bitcoin.chain import BLOCK_BYTES_MAX, Tip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.driver import Dialogue, Fields
    from paygate.drivers.bitcoin.settings import BitcoinSettings

HASH: Final = re.compile(r"[0-9a-f]{64}")
HEIGHT_MAX: Final = 2**31
# A list of 300,000 names, which is more than nodes keep.
MEMPOOL_BYTES_MAX: Final = 25_000_000
BATCH_BYTES_MAX: Final = 20_000_000

_COOKIE: Final = re.compile(r"__cookie__:[\x21-\x7e]{1,200}")

_WARMING_UP: Final = -28


class CoreChain:
    """A node that speaks Core's RPC."""

    transactions_per_page = 5000

    def __init__(self, settings: BitcoinSettings) -> None:
        self._settings = settings

    def tip(self, next_height: int | None) -> Dialogue[Tip]:
        """Ask ``getblockchaininfo``."""
        entry = yield from self._one("getblockchaininfo")
        facts, wanted = entry.at("result"), self._settings.network
        chain = facts.text("chain", "", longest=20)
        if chain != wanted:
            raise BadResponse(f"the node is on network {chain!r}, the settings say {wanted}")
        height = height_in(facts, "blocks")
        if facts.flag("initialblockdownload", None) and self._settings.live:
            headers = height_in(facts, "headers")
            raise BadResponse(f"the node is still catching up: block {height} of {headers}")
        pruned = facts.whole("pruneheight", 0) if facts.flag("pruned", None) else 0
        if next_height is not None and next_height < pruned <= height:
            raise BadResponse(
                f"the node has deleted the blocks before {pruned}, and {next_height} is the next "
                "to read; use a node that has it, or go on without those in between: paygate "
                f"bitcoin rescan --from {pruned}, and compare the addresses with the wallet by hand"
            )
        return Tip(height, name_of(facts.value("bestblockhash")))

    def hashes(self, first: int, count: int) -> Dialogue[Sequence[str]]:
        """Ask ``getblockhash`` for each, in one batch."""
        heights = range(first, first + count)
        entries = yield from self._many("hashes", "getblockhash", heights)
        return [name_of(entry.value("result")) for entry in entries]

    def block(self, hash_: str) -> Dialogue[bytes]:
        """Ask ``getblock``."""
        entry = yield from self._one("getblock", hash_, False, bytes_max=2 * BLOCK_BYTES_MAX + 500)  # noqa: FBT003
        return unhex(entry.value("result"))

    def mempool(self) -> Dialogue[Sequence[str]]:
        """Ask ``getrawmempool``."""
        entry = yield from self._one("getrawmempool", bytes_max=MEMPOOL_BYTES_MAX)
        return [name_of(each) for each in entry.texts("result")]

    def transactions(self, ids: Sequence[str]) -> Dialogue[Sequence[bytes | None]]:
        """Ask ``getrawtransaction`` for each, in one batch."""
        entries = yield from self._many("transactions", "getrawtransaction", ids, lenient=True)
        found = [entry.value("result") if _succeeded(entry) else None for entry in entries]
        return [None if raw is None else unhex(raw) for raw in found]

    # --- One request ----------------------------------------------------------------------------

    def _one(self, method: str, *params: object, bytes_max: int = 2_000_000) -> Dialogue[Fields]:
        entries = yield from self._ask(method, _call(0, method, params), bytes_max)
        return entries[0]

    def _many(
        self, step: str, method: str, each: Sequence[object], *, lenient: bool = False
    ) -> Dialogue[list[Fields]]:
        calls = [_call(number, method, [about]) for number, about in enumerate(each)]
        entries = yield from self._ask(step, calls, BATCH_BYTES_MAX, lenient=lenient)
        by_id = {entry.whole("id", None): entry for entry in entries}
        if set(by_id) != set(range(len(calls))):
            raise BadResponse(f"the node did not answer each part of {step}")
        return [by_id[number] for number in range(len(calls))]

    def _ask(
        self,
        step: str,
        calls: dict[str, object] | list[dict[str, object]],
        bytes_max: int,
        *,
        lenient: bool = False,
    ) -> Dialogue[list[Fields]]:
        """Return the entries of the answer, which have a result; if *lenient*, perhaps an error."""
        response = yield Request(
            method="POST",
            url=f"{self._settings.url}/",
            step=step,
            headers={
                "Content-Type": "application/json",
                "Authorization": f"Basic {self._credentials()}",
            },
            body=json_body(calls),
            repeatable=True,
            answer_bytes_max=bytes_max,
        )
        if response.status in (401, 403):
            raise CredentialsRejected("the node does not take our user and password (or cookie)")
        answer = read_json_value(response, f"the node's answer to {step}", bytes_max=bytes_max)
        entries = answer.each() if isinstance(answer.value(), list) else [answer]
        for entry in entries:
            if not (lenient or _succeeded(entry)):
                raise _refused(entry.at("error"), step)
        if not entries or not all("result" in each or not _succeeded(each) for each in entries):
            raise BadResponse(
                f"status {response.status}: the node's answer to {step} is no JSON-RPC"
            )
        return entries

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


def _call(number: int, method: str, params: Sequence[object]) -> dict[str, object]:
    return {"jsonrpc": "1.0", "method": method, "params": list(params), "id": number}


def _succeeded(entry: Fields) -> bool:
    return entry.value("error") is None


def _refused(error: Fields, step: str) -> BadResponse:
    """Return the error for a call to which the node answered with *error*."""
    code, text = error.whole("code", None), error.text("message", "", longest=200)
    if code == _WARMING_UP:
        return BadResponse(f"the node is starting: {text}")
    if "prune" in text.lower():
        return BadResponse("the node has deleted this block (pruned); use one that has it")
    return BadResponse(f"the node refuses {step}: {code} {text}")


# --- What a node may answer ---------------------------------------------------------------------


def name_of(answer: object) -> str:
    """Read the name of a block or transaction."""
    if not isinstance(answer, str) or not HASH.fullmatch(answer):
        raise BadResponse("the node names a block or transaction by something else than its hash")
    return answer


def height_in(facts: Fields, path: str) -> int:
    """Read the height of a block."""
    height = facts.whole(path, -1)
    if not 0 <= height < HEIGHT_MAX:
        raise BadResponse("the node gives a height that cannot be")
    return height


def unhex(answer: object) -> bytes:
    """Read bytes in hex."""
    try:
        return bytes.fromhex(answer if isinstance(answer, str) else "-")
    except ValueError:
        raise BadResponse("the node sent something else than bytes in hex") from None
