"""Esplora's HTTP interface, as Blockstream's and mempool.space's servers have it.

A public server would learn which wallet is watched from questions about single addresses;
here it is asked for whole blocks. Still, run your own: it decides what is paid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.driver import BadResponse, Request, read_json, read_json_value
from paygate.drivers.bitcoin.chain import BLOCK_BYTES_MAX, Tip
from paygate.drivers.bitcoin.core import MEMPOOL_BYTES_MAX, height_in, name_of, unhex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.driver import Dialogue, Response
    from paygate.drivers.bitcoin.settings import BitcoinSettings

_SERVER: Final = "the server"
TRANSACTION_BYTES_MAX: Final = 2 * BLOCK_BYTES_MAX


class EsploraChain:
    """A server that speaks Esplora's interface."""

    transactions_per_page = 200

    def __init__(self, settings: BitcoinSettings) -> None:
        self._settings = settings

    def tip(self, next_height: int | None) -> Dialogue[Tip]:
        """Ask for the newest block, and for the first one, which identifies the network."""
        del next_height  # such a server has all blocks
        genesis = yield from self._text("/block-height/0", "genesis")
        if genesis != self._settings.network.genesis:
            raise BadResponse(f"the server is not on network {self._settings.network}")
        hash_ = name_of((yield from self._text("/blocks/tip/hash", "tip")))
        facts = read_json((yield from self._get(f"/block/{hash_}", "tip_block", 100_000)), _SERVER)
        if facts.value("id") != hash_:
            raise BadResponse("the server answered with another block than was asked for")
        return Tip(height_in(facts, "height"), hash_)

    def hashes(self, first: int, count: int) -> Dialogue[Sequence[str]]:
        """Ask for one after the other."""
        found: list[str] = []
        for height in range(first, first + count):
            found.append(name_of((yield from self._text(f"/block-height/{height}", "hash"))))  # noqa: PERF401
        return found

    def block(self, hash_: str) -> Dialogue[bytes]:
        """Ask for the bytes."""
        response = yield from self._get(f"/block/{hash_}/raw", "block", BLOCK_BYTES_MAX)
        return response.body

    def mempool(self) -> Dialogue[Sequence[str]]:
        """Ask for all names."""
        response = yield from self._get("/mempool/txids", "mempool", MEMPOOL_BYTES_MAX)
        answer = read_json_value(response, _SERVER, bytes_max=MEMPOOL_BYTES_MAX)
        return [name_of(each) for each in answer.texts()]

    def transactions(self, ids: Sequence[str]) -> Dialogue[Sequence[bytes | None]]:
        """Ask for one after the other."""
        found: list[bytes | None] = []
        for id_ in ids:
            response = yield from self._get(
                f"/tx/{id_}/hex", "transaction", TRANSACTION_BYTES_MAX, may_be_gone=True
            )
            found.append(None if response.status == 404 else unhex(_text_of(response)))
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
            why = " (too many requests; it answers no more for now)" if status == 429 else ""
            raise BadResponse(f"{_SERVER} answered with status {status}{why}", status=status)
        return response


def _text_of(response: Response) -> str:
    return response.body.decode("ascii", "replace").strip()
