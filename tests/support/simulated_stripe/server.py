"""The simulated processor behind HTTP on loopback: its interface, and its pages."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from paygate.testing.fake.guard import refuse_production
from tests.support.simulated_stripe.state import Refused

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.support.simulated_stripe.calls import SimulatedStripe
    from tests.support.simulated_stripe.state import Json


@contextmanager
def serving(processor: SimulatedStripe, port: int = 0) -> Generator[str]:
    """Serve *processor* on loopback, tell where, and stop when the block ends."""
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
    processor: SimulatedStripe


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]  (it is only read)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name is the base's)
        """Stay silent."""

    def do_GET(self) -> None:
        self._handle(b"")

    def do_POST(self) -> None:
        self._handle(self.rfile.read(int(self.headers.get("content-length") or 0)))

    def _handle(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        if not parts.path.startswith("/v1/"):
            self._page(parts.path, body)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.processor.call(self.command, parts.path, parts.query, body, headers)
        if answer is None:
            self.close_connection = True
            return
        self._send(answer.status, "application/json", answer.body, dict(answer.headers))

    # --- Pages ---------------------------------------------------------------------------------

    def _page(self, path: str, body: bytes) -> None:
        _, page, id_ = ([*path.split("/"), "", ""])[:3]
        fields = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        try:
            if page == "authenticate" and self.command == "GET":
                self._show("Your bank", _BANK)
            elif page == "authenticate":
                self._authenticated(id_, fields.get("answer", ""))
            elif page == "checkout" and self.command == "GET":
                self._show("Checkout", _CHECKOUT)
            elif page == "checkout":
                self._finished(id_, fields.get("number", ""))
            else:
                self._send(404, "text/plain", b"no such page")
        except Refused as refused:
            said = refused.error.get("message") or str(refused)
            self._show("Not done", f"<p role='alert'>{escape(said)}</p>{_CHECKOUT}")

    def _authenticated(self, id_: str, answer: str) -> None:
        processor = self.server.processor
        kind = "setup_intent" if id_.startswith("seti_") else "payment_intent"
        action: Json = processor.find(kind, id_)["next_action"] or {}
        back = action.get("redirect_to_url", {}).get("return_url", "")
        processor.authenticate(id_, success=answer == "yes")
        self._redirect(back)

    def _finished(self, id_: str, number: str) -> None:
        session = self.server.processor.finish_session(id_, number)
        self._redirect(session["success_url"])

    def _redirect(self, url: str) -> None:
        self._send(303, "text/html", b"", {"location": url} if url else {})

    def _show(self, title: str, inner: str) -> None:
        page = (
            "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
            f"<title>{escape(title)}</title></head>"
            f"<body><h1>{escape(title)} (simulated)</h1>{inner}</body></html>"
        )
        self._send(200, "text/html; charset=utf-8", page.encode())

    def _send(
        self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {"content-type": kind, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


_BANK = (
    "<form method='post'><p>Is it you who pays?</p>"
    "<button name='answer' value='yes'>Yes</button>"
    "<button name='answer' value='no'>No</button></form>"
)
_CHECKOUT = (
    "<form method='post'><p><label>Card number <input name='number' autocomplete='off'>"
    "</label></p><button>Pay</button></form>"
)
