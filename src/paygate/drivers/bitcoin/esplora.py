"""Esplora's HTTP interface, as Blockstream's and mempool.space's servers have it.

A public server would learn which wallet is watched from questions about single addresses;
here it is asked for whole blocks. Still, run your own: it decides what is paid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from paygate.driver import BadResponse, Request
from paygate.drivers.bitcoin.chain import BLOCK_BYTES_MAX, Tip
from paygate.drivers.bitcoin.core import MEMPOOL_BYTES_MAX, name_of, unhex, whole
from paygate.drivers.bitcoin.rates import read_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.driver import Dialogue, Response
    from paygate.drivers.bitcoin.settings import BitcoinSettings

TRANSACTION_BYTES_MAX: Final = 2 * BLOCK_BYTES_MAX


class EsploraChain:
    """A server that speaks Esplora's interface."""

    transactions_per_page = 200

    def __init__(self, settings: BitcoinSettings) -> None:
        self._settings = settings

    def tip(self, next_height: int | None) -> Dialogue[Tip]:
        """Ask for the newest block, and for the first one, which tells the network."""
        del next_height  # such a server has all blocks
        genesis = yield from self._text("/block-height/0", "genesis")
        if genesis != self._settings.network.genesis:
            raise BadResponse(f"the server is not on network {self._settings.network}")
        hash_ = name_of((yield from self._text("/blocks/tip/hash", "tip")))
        response = yield self._get(f"/block/{hash_}", "tip_block", 100_000)
        answer = read_json(_ok(response).body)
        facts = cast("dict[str, object]", answer) if isinstance(answer, dict) else {}
        if facts.get("id") != hash_:
            raise BadResponse("the server answered with another block than was asked for")
        return Tip(whole(facts.get("height"), "height"), hash_)

    def hashes(self, first: int, count: int) -> Dialogue[Sequence[str]]:
        """Ask for one after the other."""
        found: list[str] = []
        for height in range(first, first + count):
            found.append(name_of((yield from self._text(f"/block-height/{height}", "hash"))))  # noqa: PERF401
        return found

    def block(self, hash_: str) -> Dialogue[bytes]:
        """Ask for the bytes."""
        response = yield self._get(f"/block/{hash_}/raw", "block", BLOCK_BYTES_MAX)
        return _ok(response).body

    def mempool(self) -> Dialogue[Sequence[str]]:
        """Ask for all names."""
        response = yield self._get("/mempool/txids", "mempool", MEMPOOL_BYTES_MAX)
        answer = read_json(_ok(response).body)
        if not isinstance(answer, list):
            raise BadResponse("the server's answer is not a list of transactions")
        return [name_of(each) for each in cast("list[object]", answer)]

    def transactions(self, ids: Sequence[str]) -> Dialogue[Sequence[bytes | None]]:
        """Ask for one after the other."""
        found: list[bytes | None] = []
        for id_ in ids:
            response = yield self._get(f"/tx/{id_}/hex", "transaction", TRANSACTION_BYTES_MAX)
            gone = response.status == 404
            found.append(None if gone else unhex(_text_of(_ok(response))))
        return found

    def _text(self, path: str, step: str) -> Dialogue[str]:
        response = yield self._get(path, step, 10_000)
        return _text_of(_ok(response))

    def _get(self, path: str, step: str, bytes_max: int) -> Request:
        return Request(
            method="GET",
            url=self._settings.url + path,
            step=step,
            repeatable=True,
            answer_bytes_max=bytes_max,
        )


def _ok(response: Response) -> Response:
    if response.status == 429:
        raise BadResponse("the server answers no more for now: too many requests", status=429)
    if response.status != 200:
        raise BadResponse(
            f"the server answered with status {response.status}", status=response.status
        )
    return response


def _text_of(response: Response) -> str:
    return response.body.decode("ascii", "replace").strip()
