"""Health of a worker over HTTP: ``/live`` while the process runs, ``/ready`` while it takes jobs.

The two answers are for the supervisor of the process, such as an orchestrator of containers. They
contain nothing of the ledger. Each connection gets one answer and is closed.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from paygate.errors import InvalidValue

if TYPE_CHECKING:
    from paygate.worker.loop import Worker

_PATIENCE_S: Final = 5.0
_REASONS: Final = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Not Ready"}


class Health:
    """Answers on *port* of *host* whether *worker* is live and ready; 0 takes a free port."""

    def __init__(self, worker: Worker, host: str, port: int) -> None:
        self._worker, self._host, self._port = worker, host, port
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> int:
        """Begin to answer, and return the port."""
        try:
            self._server = await asyncio.start_server(self._serve, self._host, self._port)
        except OSError as error:
            raise InvalidValue(
                f"the port {self._port} of {self._host} cannot be used: {error.strerror}",
                argument="health_port",
            ) from None
        return int(self._server.sockets[0].getsockname()[1])

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                line = await reader.readline()
                while (await reader.readline()).strip():
                    pass  # the headers say nothing that matters here
                writer.write(self._answer(line))
                await writer.drain()
        except (OSError, ValueError, TimeoutError):
            pass  # the client is gone, too slow, or does not speak HTTP
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _answer(self, line: bytes) -> bytes:
        method, _, rest = line.decode("latin-1").partition(" ")
        status, told = self._status(method, rest.partition(" ")[0])
        body = (json.dumps(told) + "\n").encode()
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + (b"" if method == "HEAD" else body)

    def _status(self, method: str, path: str) -> tuple[int, dict[str, Any]]:
        worker = self._worker
        if method not in ("GET", "HEAD"):
            return 405, {"error": "only GET and HEAD"}
        told: dict[str, Any] = {"state": worker.state, "running": worker.running}
        if path == "/live":
            return 200, told
        if path == "/ready":
            return (200 if worker.is_ready else 503), told | {"fault": bool(worker.fault)}
        return 404, {"error": "only /live and /ready"}
