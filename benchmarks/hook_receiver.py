"""A receiver of webhooks that accepts everything at once, in a separate process."""

from __future__ import annotations

import asyncio
import contextlib

_ACCEPTED = b"HTTP/1.1 204 No Content\r\n\r\n"


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
        size = int(lowered[lowered.index(b"content-length:") + 15 :].split(b"\r\n", 1)[0])
        if len(body) >= size:
            self._received = b""
            self._transport.write(_ACCEPTED)


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Line, "127.0.0.1", 0, backlog=500)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
