"""The fake processor as a process of its own: a loopback HTTP server with a journal on disk.

``python -m paygate.testing.fake_server --journal truth.jsonl`` prints one line
``{"url": "http://127.0.0.1:…"}`` when it is ready. Faults are real here: the
connection is dropped before or after the operation, or the response is late or
truncated. For a planned fault "unsent", the server drops the connection without
executing the request, so the client sees it close without a response.

The server has the pages that redirects lead to (`paygate.testing.fake_pages`), and sends
callbacks to a host that gives an address (`paygate.testing.fake_callbacks`).
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from paygate.dialogue import Request, Response
from paygate.errors import GatewayError, InvalidValue
from paygate.testing.fake.guard import refuse_production, require_loopback
from paygate.testing.fake_callbacks import Pusher
from paygate.testing.fake_pages import Pages
from paygate.testing.processor import FakeProcessor
from paygate.testing.processor.faults import LateAnswer
from paygate.testing.processor.keys import JSON_HEADERS
from paygate.testing.processor.rails import Habits, page_traits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from paygate.gateway import Traits
    from paygate.testing.clock import ProcessorClock

LATE_S: Final = 5.0
"""How many seconds the server holds back a response that is to be late."""

_PLAY: Final = "/v1/play/"


class FakeServer(ThreadingHTTPServer):
    """A `FakeProcessor` behind HTTP, on a loopback address."""

    daemon_threads = True
    block_on_close = False
    # With the default of 5, a hundred clients at once would have to wait for TCP to retry.
    request_queue_size = 128

    def __init__(
        self,
        processor: FakeProcessor,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        late_s: float = LATE_S,
        pusher: Pusher | None = None,
    ) -> None:
        refuse_production()
        require_loopback(host)
        self.processor = processor
        self.late_s = late_s
        self.stopping = threading.Event()
        super().__init__((host, port), _Handler)
        processor.serve_pages_at(self.url)
        # Without a pusher no callbacks are sent, so none can be lost.
        unheard = pusher.unheard if pusher else _at_once
        self.pages = Pages(processor, late_s, unheard)

    @property
    def url(self) -> str:
        """The address that the server listens on."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    @override
    def shutdown(self) -> None:
        """Stop serving; a late response is sent at once."""
        self.stopping.set()
        super().shutdown()

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report errors, except for clients that hang up, as they do in crash tests."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _at_once(what: Callable[[], object]) -> None:
    what()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: FakeServer  # pyright: ignore[reportIncompatibleVariableOverride]  (it is only read)

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing, because the journal records what happened."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path.startswith(_PLAY):
            self._send(_play(self.server.processor, self.path.removeprefix(_PLAY), body))
            return
        page = self.server.pages.serve(self.command, self.path, body)
        if page is not None:
            self._send(page)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(method=self.command, url=self.path, step="", headers=headers, body=body)
        try:
            self._send(self.server.processor.handle(request))
        except LateAnswer as late:
            self.server.stopping.wait(self.server.late_s)
            self._send(late.response)
        except GatewayError:
            self.close_connection = True

    def _send(self, response: Response) -> None:
        headers = {"content-length": str(len(response.body)), **response.headers}
        self.close_connection = int(headers["content-length"]) != len(response.body)
        lines = [f"HTTP/1.1 {response.status} {'OK' if response.status == 200 else 'Not OK'}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if self.close_connection:
            lines.append("connection: close")
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        self.wfile.write(head + response.body)


def _play(processor: FakeProcessor, verb: str, body: bytes) -> Response:
    try:
        told, status = processor.play(verb, **json.loads(body or b"{}")), 200
    except (InvalidValue, LookupError, TypeError, ValueError) as error:
        told, status = {"error": {"message": str(error)}}, 400
    return Response(status=status, headers=JSON_HEADERS, body=json.dumps(told).encode())


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    journal: Path | str | None = None,
    parent: bool = False,
    late_s: float = LATE_S,
    traits: Traits | None = None,
    habits: Habits | None = None,
    clock: ProcessorClock | None = None,
    callbacks_to: str = "",
) -> None:
    """
    Serve until SIGTERM or SIGINT, or with *parent* until stdin closes.

    Prints one JSON line with the address when it is ready. An existing journal is read
    first, so a new process continues in the state of a killed one, with the same truth and
    the same responses to old keys. Callbacks are sent to *callbacks_to*, and a line about
    each is written to stderr. If it cannot listen on the address, writes a line about that
    to stderr and raises `SystemExit`.
    """
    processor = FakeProcessor(traits, clock=clock, habits=habits, journal=journal)
    pusher = Pusher(processor, callbacks_to, tell=_say) if callbacks_to else None
    try:
        server = FakeServer(processor, host=host, port=port, late_s=late_s, pusher=pusher)
    except (OSError, OverflowError) as fault:  # in use, not allowed, or not a port number
        processor.close()
        why = fault.strerror if isinstance(fault, OSError) and fault.strerror else str(fault)
        _say(f"the fake processor cannot listen on {host}:{port}: {why}; port 0 takes a free one")
        raise SystemExit(1) from None
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    if parent:
        threading.Thread(target=_stop_with_stdin, args=(server,), daemon=True).start()
    sys.stdout.write(json.dumps({"url": server.url}) + "\n")
    sys.stdout.flush()
    if pusher is not None:
        pusher.start()
    try:
        server.serve_forever(poll_interval=0.05)
    except _Leave:
        server.stopping.set()
    finally:
        if pusher is not None:
            pusher.stop()
        server.server_close()
        processor.close()


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


class _Leave(BaseException):
    """A signal was received; not an Exception, so that no error handler catches it."""


def _leave(*_: object) -> None:
    raise _Leave


def _stop_with_stdin(server: FakeServer) -> None:
    while sys.stdin.buffer.read(4096):
        pass
    server.shutdown()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the server as a program."""
    parser = argparse.ArgumentParser(prog="paygate.testing.fake_server", description=serve.__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--journal", help="file for the processor's truth; created if missing")
    parser.add_argument("--parent", action="store_true", help="end when stdin closes")
    parser.add_argument(
        "--late-s", type=float, default=LATE_S, help="seconds by which a late response is late"
    )
    parser.add_argument(
        "--needs-complete",
        action="store_true",
        help="a payer's approval moves no money before it is completed",
    )
    parser.add_argument(
        "--on-pages", action="store_true", help="payers enter cards and bank accounts on its pages"
    )
    parser.add_argument("--callbacks-to", default="", help="address to send callbacks to")
    given = parser.parse_args(arguments)
    serve(
        given.host,
        given.port,
        journal=given.journal,
        parent=given.parent,
        late_s=given.late_s,
        traits=page_traits() if given.on_pages else None,
        habits=Habits(needs_complete=given.needs_complete),
        callbacks_to=given.callbacks_to,
    )


if __name__ == "__main__":
    main()
