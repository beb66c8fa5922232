"""The HTTP interface of Esplora, which the servers of Blockstream and mempool.space have.

Requests for single addresses would show a public server which wallet is watched, so whole blocks
are requested. Run a server of your own anyway: it decides what counts as paid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.driver import BadResponse, Request, read_json, read_json_value
from paygate.drivers.bitcoin.chain import (
    BLOCK_BYTES_MAX,
    MEMPOOL_BYTES_MAX,
    Tip,
    read_hash,
    read_height,
    read_hex,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.driver import Dialogue, Response
    from paygate.drivers.bitcoin.settings import BitcoinSettings

_SERVER: Final = "the server"
TRANSACTION_BYTES_MAX: Final = 2 * BLOCK_BYTES_MAX


class EsploraChain:
    """A server with the interface of Esplora."""

    transactions_per_page = 200

    def __init__(self, settings: BitcoinSettings) -> None:
        self._settings = settings

    def tip(self, next_height: int | None) -> Dialogue[Tip]:
        """Request the newest block, and the first one, which identifies the network."""
        del next_height  # these servers have all blocks
        genesis = yield from self._text("/block-height/0", "genesis")
        if genesis != self._settings.network.genesis:
            raise BadResponse(f"the server is not on network {self._settings.network}")
        hash_ = read_hash((yield from self._text("/blocks/tip/hash", "tip")))
        facts = read_json((yield from self._get(f"/block/{hash_}", "tip_block", 100_000)), _SERVER)
        if facts.value("id") != hash_:
            raise BadResponse("the server answered with another block than the one requested")
        return Tip(read_height(facts, "height"), hash_)

    def hashes(self, first: int, count: int) -> Dialogue[Sequence[str]]:
        """Request one after the other."""
        found: list[str] = []
        for height in range(first, first + count):
            found.append(read_hash((yield from self._text(f"/block-height/{height}", "hash"))))  # noqa: PERF401
        return found

    def block(self, hash_: str) -> Dialogue[bytes]:
        """Request the bytes."""
        response = yield from self._get(f"/block/{hash_}/raw", "block", BLOCK_BYTES_MAX)
        return response.body

    def mempool(self) -> Dialogue[Sequence[str]]:
        """Request all ids."""
        response = yield from self._get("/mempool/txids", "mempool", MEMPOOL_BYTES_MAX)
        answer = read_json_value(response, _SERVER, bytes_max=MEMPOOL_BYTES_MAX)
        return [read_hash(each) for each in answer.texts()]

    def transactions(self, ids: Sequence[str]) -> Dialogue[Sequence[bytes | None]]:
        """Request one after the other."""
        found: list[bytes | None] = []
        for id_ in ids:
            response = yield from self._get(
                f"/tx/{id_}/hex", "transaction", TRANSACTION_BYTES_MAX, may_be_gone=True
            )
            found.append(None if response.status == 404 else read_hex(_text_of(response)))
        return found

    def _text(self, path: str, step: str) -> Dialogue[str]:
        return _text_of((yield from self._get(path, step, 10_000)))

    def _get(
        self, path: str, step: str, bytes_max: int, *, may_be_gone: bool = False
    ) -> Dialogue[Response]:
        response = yield Request(
            method="GET",
            url=self._settings.url + path,
            step=step,
            repeatable=True,
            answer_bytes_max=bytes_max,
        )
        status = response.status
        if status != 200 and not (status == 404 and may_be_gone):
            why = " (too many requests; try again later)" if status == 429 else ""
            raise BadResponse(f"{_SERVER} answered with status {status}{why}", status=status)
        return response


def _text_of(response: Response) -> str:
    return response.body.decode("ascii", "replace").strip()
