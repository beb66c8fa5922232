"""What all simulated processors share: a server on loopback, and how it answers a request."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast
from urllib.parse import parse_qs

from paygate.testing.fake.guard import refuse_production

if TYPE_CHECKING:
    from collections.abc import Generator

P = TypeVar("P")


class Handler(BaseHTTPRequestHandler, Generic[P]):
    """Answers one request to a simulated processor, if it is one of its *methods*."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    methods: ClassVar = frozenset({"GET", "POST"})

    def answer(self) -> None:
        """Answer the request."""
        raise NotImplementedError

    def do_GET(self) -> None:
        """Answer a request of this method."""
        self._answer_or_refuse()

    def do_POST(self) -> None:
        """Answer a request of this method."""
        self._answer_or_refuse()

    def do_DELETE(self) -> None:
        """Answer a request of this method."""
        self._answer_or_refuse()

    def _answer_or_refuse(self) -> None:
        if self.command in self.methods:
            self.answer()
        else:
            self.send_error(501)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name is the base's)
        """Stay silent; the journal of the processor says what happened."""

    @property
    def processor(self) -> P:
        """The simulated processor."""
        return cast("_Server[P]", self.server).processor

    def body(self) -> bytes:
        """Return the body of the request."""
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def send(
        self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        """Answer with *body*, of the content type *kind*."""
        self.send_response(status)
        for name, value in {"content-type": kind, **(headers or {})}.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def redirect(self, url: str) -> None:
        """Send the payer's browser to *url*, if there is one."""
        self.send(303, "text/html", b"", {"location": url} if url else {})


class _Server(ThreadingHTTPServer, Generic[P]):
    daemon_threads = True
    processor: P


@contextmanager
def serve(processor: P, handler: type[Handler[P]], port: int = 0) -> Generator[str]:
    """Serve *processor* on loopback, yield its address, and stop when the block ends."""
    refuse_production()
    server: _Server[P] = _Server(("127.0.0.1", port), handler)
    server.processor = processor
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    )
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def first_values(encoded: str) -> dict[str, str]:
    """Return the first value of each field of a form, or of a query."""
    return {name: values[0] for name, values in parse_qs(encoded).items()}
