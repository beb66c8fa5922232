"""What others put on httpx's transports works on ours, because ours are called through them."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import vcr

from paygate.dialogue import Request, Response
from paygate.transport import AsyncHttpTransport, HttpTransport
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


@pytest.mark.parametrize("recording", ["sync", "async"])
def test_what_one_face_recorded_both_replay(
    answering: Callable[..., Server], tmp_path: Path, recording: str
) -> None:
    def ask(face: str) -> Response:
        return ask_sync() if face == "sync" else asyncio.run(ask_async())

    def ask_sync() -> Response:
        transport = HttpTransport()
        try:
            return transport.exchange(request)
        finally:
            transport.close()

    async def ask_async() -> Response:
        transport = AsyncHttpTransport()
        try:
            return await transport.exchange(request)
        finally:
            await transport.aclose()

    server = answering(answer(b'{"paid": true}', headers=b"Warning: a\r\nwarning: b\r\n"))
    request = Request(method="POST", url=server.url, step="charge", body=b"amount=100")
    cassette = str(tmp_path / "cassette.yaml")

    with vcr.use_cassette(cassette, record_mode="once"):
        recorded = ask(recording)
    server.close()
    with vcr.use_cassette(cassette, record_mode="none"):
        replayed = ask("sync")
    with vcr.use_cassette(cassette, record_mode="none"):
        replayed_async = ask("async")

    assert recorded.headers["warning"] == "a, b"
    assert recorded == replayed == replayed_async


def test_a_recording_that_began_before_the_transport_was_imported_is_noticed(
    tmp_path: Path,
) -> None:
    """In a new interpreter, where `paygate.transport` is first imported while vcrpy records."""
    program = """
import asyncio, sys, vcr
from paygate.dialogue import Request
with vcr.use_cassette(sys.argv[1], record_mode="none"):
    from paygate.transport import AsyncHttpTransport
    asking = AsyncHttpTransport().exchange(Request(method="GET", url="http://x.invalid/", step="x"))
    try:
        asyncio.run(asking)
    except Exception as error:
        print(error.facts["cause"])
"""
    told = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "none.yaml")],
        check=True,
        capture_output=True,
        text=True,
    )

    assert told.stdout == "CannotOverwriteExistingCassetteException\n"


def test_a_fault_that_somebody_else_plays_is_not_called_unsent(
    transporting: Callable[..., Exchange], monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpx

    from paygate.errors import NoResponse

    def play(*_: object) -> None:
        raise httpx.ReadTimeout("played")

    async def async_play(*_: object) -> None:
        play()

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", play)
    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", async_play)

    with pytest.raises(NoResponse):
        transporting()(Request(method="POST", url="http://localhost:1/", step="charge"))
