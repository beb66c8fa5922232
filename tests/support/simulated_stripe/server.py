"""The simulated processor behind HTTP on loopback: its interface, and its pages."""

from __future__ import annotations

from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.support.loopback import Handler, first_values, serve
from tests.support.simulated_stripe.state import Refused

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.support.simulated_stripe.calls import SimulatedStripe
    from tests.support.simulated_stripe.state import Json


@contextmanager
def serving(processor: SimulatedStripe, port: int = 0) -> Generator[str]:
    """Serve *processor* on loopback, yield where, and stop when the block ends."""
    with serve(processor, _Handler, port) as url:
        processor.url = url
        yield url


class _Handler(Handler["SimulatedStripe"]):
    def answer(self) -> None:
        """Answer a call, or show a page."""
        body = self.body()
        parts = urlsplit(self.path)
        if not parts.path.startswith("/v1/"):
            self._page(parts.path, body)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.processor.call(self.command, parts.path, parts.query, body, headers)
        if answer is None:
            self.close_connection = True
            return
        self.send(answer.status, "application/json", answer.body, dict(answer.headers))

    # --- Pages ---------------------------------------------------------------------------------

    def _page(self, path: str, body: bytes) -> None:
        _, page, id_ = ([*path.split("/"), "", ""])[:3]
        fields = first_values(body.decode())
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
                self.send(404, "text/plain", b"no such page")
        except Refused as refused:
            said = refused.error.get("message") or str(refused)
            self._show("Not done", f"<p role='alert'>{escape(said)}</p>{_CHECKOUT}")

    def _authenticated(self, id_: str, answer: str) -> None:
        processor = self.processor
        kind = "setup_intent" if id_.startswith("seti_") else "payment_intent"
        action: Json = processor.find(kind, id_)["next_action"] or {}
        back = action.get("redirect_to_url", {}).get("return_url", "")
        processor.authenticate(id_, success=answer == "yes")
        self.redirect(back)

    def _finished(self, id_: str, number: str) -> None:
        session = self.processor.finish_session(id_, number)
        self.redirect(session["success_url"])

    def _show(self, title: str, inner: str) -> None:
        page = (
            "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
            f"<title>{escape(title)}</title></head>"
            f"<body><h1>{escape(title)} (simulated)</h1>{inner}</body></html>"
        )
        self.send(200, "text/html; charset=utf-8", page.encode())


_BANK = (
    "<form method='post'><p>Is it you who pays?</p>"
    "<button name='answer' value='yes'>Yes</button>"
    "<button name='answer' value='no'>No</button></form>"
)
_CHECKOUT = (
    "<form method='post'><p><label>Card number <input name='number' autocomplete='off'>"
    "</label></p><button>Pay</button></form>"
)
