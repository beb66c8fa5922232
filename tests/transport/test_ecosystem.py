"""What others put on httpx's transports works on ours, because ours are called through them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import vcr

from paygate.dialogue import Request
from tests.transport.conftest import Exchange, Server, answer


def test_vcrpy_records_and_replays_our_exchanges(
    answering: Callable[..., Server], transporting: Callable[..., Exchange], tmp_path: Path
) -> None:
    server = answering(answer(b'{"paid": true}', headers=b"Request-Id: r1\r\n"))
    request = Request(method="POST", url=server.url, step="charge", body=b"amount=100")
    cassette = tmp_path / "cassette.yaml"

    with vcr.use_cassette(str(cassette), record_mode="once"):
        recorded = transporting()(request)
    server.close()
    with vcr.use_cassette(str(cassette), record_mode="none"):
        replayed = transporting()(request)

    assert recorded.body == replayed.body == b'{"paid": true}'
    assert replayed.headers["request-id"] == "r1"


def test_a_fault_that_somebody_else_plays_is_not_called_unsent(
    transporting: Callable[..., Exchange], monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpx

    from paygate.errors import NoReply

    def play(*_: object) -> None:
        raise httpx.ReadTimeout("played")

    async def async_play(*_: object) -> None:
        play()

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", play)
    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", async_play)

    with pytest.raises(NoReply):
        transporting()(Request(method="POST", url="http://localhost:1/", step="charge"))
