"""The JSON-RPC interface of Bitcoin Core, used without its wallet.

Blocks and transactions are requested as bytes. Every version of Core understands
``getblock HASH false``, because newer ones accept the older booleans as well as numbers.
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
from paygate.drivers.bitcoin.chain import (
    BLOCK_BYTES_MAX,
    HASH,
    MEMPOOL_BYTES_MAX,
    Tip,
    read_hash,
    read_height,
    read_hex,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.driver import Dialogue, Fields
    from paygate.drivers.bitcoin.settings import BitcoinSettings

BATCH_BYTES_MAX: Final = 20_000_000

_COOKIE: Final = re.compile(r"__cookie__:[\x21-\x7e]{1,200}")

_WARMING_UP: Final = -28


class CoreChain:
    """A node with the RPC interface of Core."""

    transactions_per_page = 5000

    def __init__(self, settings: BitcoinSettings) -> None:
        self._settings = settings

    def tip(self, next_height: int | None) -> Dialogue[Tip]:
        """Call ``getblockchaininfo``."""
        entry = yield from self._one("getblockchaininfo")
        facts, wanted = entry.at("result"), self._settings.network
        chain = facts.text("chain", "", longest=20)
        if chain != wanted:
            raise BadResponse(f"the node is on network {chain!r}, but the settings say {wanted}")
        height = read_height(facts, "blocks")
        if facts.flag("initialblockdownload", None) and self._settings.live:
            headers = read_height(facts, "headers")
            raise BadResponse(f"the node is still catching up: block {height} of {headers}")
        pruned = facts.whole("pruneheight", 0) if facts.flag("pruned", None) else 0
        if next_height is not None and next_height < pruned <= height:
            raise BadResponse(
                f"the node has deleted the blocks before {pruned}, and {next_height} is the next "
                "to read; use a node that has it, or skip the blocks in between with paygate "
                f"bitcoin rescan --from {pruned}, and compare the addresses with the wallet by hand"
            )
        return Tip(height, facts.id("bestblockhash", pattern=HASH))

    def hashes(self, first: int, count: int) -> Dialogue[Sequence[str]]:
        """Call ``getblockhash`` for each height, in one batch."""
        heights = range(first, first + count)
        entries = yield from self._many("hashes", "getblockhash", heights)
        return [entry.id("result", pattern=HASH) for entry in entries]

    def block(self, hash_: str) -> Dialogue[bytes]:
        """Call ``getblock``."""
        entry = yield from self._one("getblock", hash_, False, bytes_max=2 * BLOCK_BYTES_MAX + 500)  # noqa: FBT003
        return read_hex(entry.value("result"))

    def mempool(self) -> Dialogue[Sequence[str]]:
        """Call ``getrawmempool``."""
        entry = yield from self._one("getrawmempool", bytes_max=MEMPOOL_BYTES_MAX)
        return [read_hash(each) for each in entry.texts("result")]

    def transactions(self, ids: Sequence[str]) -> Dialogue[Sequence[bytes | None]]:
        """Call ``getrawtransaction`` for each id, in one batch."""
        entries = yield from self._many("transactions", "getrawtransaction", ids, lenient=True)
        found = [entry.value("result") if _succeeded(entry) else None for entry in entries]
        return [None if raw is None else read_hex(raw) for raw in found]

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
        """Return the entries of the answer: results or, if *lenient*, errors as well."""
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
            raise CredentialsRejected("the node refuses our user and password (or cookie)")
        answer = read_json_value(response, f"the node's answer to {step}", bytes_max=bytes_max)
        entries = answer.each() if isinstance(answer.value(), list) else [answer]
        for entry in entries:
            if not (lenient or _succeeded(entry)):
                raise _refused(entry.at("error"), step)
        if not entries or not all("result" in each or not _succeeded(each) for each in entries):
            raise BadResponse(
                f"status {response.status}: the node's answer to {step} is not JSON-RPC"
            )
        return entries

    def _credentials(self) -> str:
        settings = self._settings
        text = f"{settings.user}:{'' if settings.password is None else settings.password.reveal()}"
        if settings.cookie_file is not None:
            # The node writes a new one at each start.
            try:
                text = settings.cookie_file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                raise InvalidSettings(
                    f"the node's cookie {settings.cookie_file} cannot be read: is the node running?"
                ) from None
            if not _COOKIE.fullmatch(text):
                # The author of the settings must not have other files sent to their server.
                raise InvalidSettings(
                    f"{settings.cookie_file} is not the cookie of a node, which is a single line "
                    "that begins with __cookie__:"
                )
        return base64.b64encode(text.encode()).decode()


def _call(number: int, method: str, params: Sequence[object]) -> dict[str, object]:
    return {"jsonrpc": "1.0", "method": method, "params": list(params), "id": number}


def _succeeded(entry: Fields) -> bool:
    return entry.value("error") is None


def _refused(error: Fields, step: str) -> BadResponse:
    """Return the exception for a call that the node answered with *error*."""
    code, text = error.whole("code", None), error.text("message", "", longest=200)
    if code == _WARMING_UP:
        return BadResponse(f"the node is starting: {text}")
    if "prune" in text.lower():
        return BadResponse("the node has deleted this block (pruned); use a node that has it")
    return BadResponse(f"the node refuses {step}: {code} {text}")
