"""The simulated node behind HTTP on loopback."""

from __future__ import annotations

import base64
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast

from paygate.testing.fake.guard import refuse_production
from tests.support.simulated_bitcoin.node import RpcError

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.support.simulated_bitcoin.node import SimulatedNode


@contextmanager
def serving(node: SimulatedNode, port: int = 0) -> Generator[str]:
    """Serve *node* on loopback, yield its address, and stop when the block ends."""
    refuse_production()
    server = _Server(("127.0.0.1", port), _Handler)
    server.node = node
    node.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    )
    thread.start()
    try:
        yield node.url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    node: SimulatedNode


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]  (it is only read)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name is the base's)
        """Stay silent."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        node = self.server.node
        pair = base64.b64encode(f"{node.user}:{node.password}".encode()).decode()
        if self.headers.get("authorization") != f"Basic {pair}":
            self._send(401, b"")
            return
        asked: Any = json.loads(body)
        if isinstance(asked, list):
            many = cast("list[dict[str, Any]]", asked)
            self._send(200, json.dumps([self._answer(each) for each in many]).encode())
            return
        answer = self._answer(asked)
        self._send(500 if answer["error"] else 200, json.dumps(answer).encode())

    def _answer(self, entry: dict[str, Any]) -> dict[str, Any]:
        try:
            result = self.server.node.call(str(entry.get("method")), entry.get("params") or [])
        except RpcError as refused:
            error = {"code": refused.code, "message": refused.message}
            return {"result": None, "error": error, "id": entry.get("id")}
        return {"result": result, "error": None, "id": entry.get("id")}

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
