"""The simulated processor behind HTTP on loopback: its interface, and the payer's page."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from paygate.testing.fake.guard import refuse_production
from tests.support.simulated_paypal.state import HIDDEN, Refused

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.support.simulated_paypal.calls import SimulatedPayPal


@contextmanager
def serving(processor: SimulatedPayPal, port: int = 0) -> Generator[str]:
    """Serve *processor* on loopback, yield where, and stop when the block ends."""
    refuse_production()
    server = _Server(("127.0.0.1", port), _Handler)
    server.processor = processor
    processor.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    )
    thread.start()
    try:
        yield processor.url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    processor: SimulatedPayPal


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]  (it is only read)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name is the base's)
        """Stay silent."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the time of the simulated account."""
        del timestamp
        return format_datetime(self.server.processor.now(), usegmt=True)

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if not self.path.startswith(("/v1/", "/v2/", "/v3/")):
            self._page(body.decode())
            return
        headers = dict(self.headers.items())
        answer = self.server.processor.call(self.command, self.path, headers, body)
        if answer is None:
            self.close_connection = True
            return
        self._send(answer.status, "application/json", answer.body, dict(answer.headers))

    # --- The payer's page ------------------------------------------------------------------------

    def _page(self, form: str) -> None:
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if self.command == "GET":
            self._send(200, "text/html; charset=utf-8", _PAGE.encode())
            return
        given = {name: values[0] for name, values in parse_qs(form).items()}
        processor = self.server.processor
        try:
            if "approval_session_id" in asked:
                processor.approve_setup(asked["approval_session_id"])
                self._redirect("", asked["approval_session_id"])
                return
            order = processor.find("order", asked.get("token", ""))
            context = order[HIDDEN]["source"]["experience_context"]
            if given.get("answer") == "pay":
                processor.approve(order["id"], given.get("payer", "ada"))
            back = "return_url" if given.get("answer") == "pay" else "cancel_url"
            self._redirect(context[back], order["id"])
        except Refused as refused:
            self._send(422, "text/plain", str(refused).encode())

    def _redirect(self, url: str, token: str) -> None:
        mark = "&" if "?" in url else "?"
        where = f"{url}{mark}token={token}&PayerID=SIMULATED"
        self._send(303, "text/html", b"", {"location": where} if url else {})

    def _send(
        self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {"content-type": kind, **(headers or {})}.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


_PAGE = (
    "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Pay</title></head>"
    "<body><h1>Pay (simulated)</h1><form method='post'>"
    "<button name='answer' value='pay'>Pay now</button>"
    "<button name='answer' value='cancel'>Cancel</button></form></body></html>"
)
