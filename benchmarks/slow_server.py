"""An HTTP server that delays each response, in a separate process.

It returns the canned Stripe JSON of `canned_server` after a tenth of a second, to any number of
connections at once.
"""

from __future__ import annotations

import asyncio
import contextlib

from benchmarks.canned_server import ANSWERS

DELAY_S = 0.1


class Line(asyncio.Protocol):
    """One connection; requests come one after another, because no client here pipelines."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, ended, body = self._received.partition(b"\r\n\r\n")
        if not ended:
            return
        lowered = head.lower()
        at = lowered.find(b"content-length:")
        size = 0 if at < 0 else int(lowered[at + 15 :].split(b"\r\n", 1)[0])
        if len(body) < size:
            return
        self._received = b""
        path = head.split(b" ", 2)[1].decode()
        answer = next(body for end, body in ANSWERS.items() if path.endswith(end))
        asyncio.get_running_loop().call_later(DELAY_S, self._answer, answer)

    def _answer(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Line, "127.0.0.1", 0, backlog=2000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
