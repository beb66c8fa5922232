"""The simulated processor behind HTTP on loopback: its interface, and the payer's page."""

from __future__ import annotations

from contextlib import contextmanager
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.support.loopback import Handler, first_values, serve
from tests.support.simulated_paypal.state import HIDDEN, Refused

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.support.simulated_paypal.calls import SimulatedPayPal


@contextmanager
def serving(processor: SimulatedPayPal, port: int = 0) -> Generator[str]:
    """Serve *processor* on loopback, yield where, and stop when the block ends."""
    with serve(processor, _Handler, port) as url:
        processor.url = url
        yield url


class _Handler(Handler["SimulatedPayPal"]):
    methods = frozenset({"GET", "POST", "DELETE"})

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the time of the simulated account."""
        del timestamp
        return format_datetime(self.processor.now(), usegmt=True)

    def answer(self) -> None:
        """Answer a call, or show the page."""
        body = self.body()
        if not self.path.startswith(("/v1/", "/v2/", "/v3/")):
            self._page(body.decode())
            return
        headers = dict(self.headers.items())
        answer = self.processor.call(self.command, self.path, headers, body)
        if answer is None:
            self.close_connection = True
            return
        self.send(answer.status, "application/json", answer.body, dict(answer.headers))

    # --- The payer's page ------------------------------------------------------------------------

    def _page(self, form: str) -> None:
        parts = urlsplit(self.path)
        asked = first_values(parts.query)
        if self.command == "GET":
            self.send(200, "text/html; charset=utf-8", _PAGE.encode())
            return
        given = first_values(form)
        processor = self.processor
        try:
            if "approval_session_id" in asked:
                processor.approve_setup(asked["approval_session_id"])
                self._back_to("", asked["approval_session_id"])
                return
            order = processor.find("order", asked.get("token", ""))
            context = order[HIDDEN]["source"]["experience_context"]
            if given.get("answer") == "pay":
                processor.approve(order["id"], given.get("payer", "ada"))
            back = "return_url" if given.get("answer") == "pay" else "cancel_url"
            self._back_to(context[back], order["id"])
        except Refused as refused:
            self.send(422, "text/plain", str(refused).encode())

    def _back_to(self, url: str, token: str) -> None:
        mark = "&" if "?" in url else "?"
        self.redirect(f"{url}{mark}token={token}&PayerID=SIMULATED" if url else "")


_PAGE = (
    "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Pay</title></head>"
    "<body><h1>Pay (simulated)</h1><form method='post'>"
    "<button name='answer' value='pay'>Pay now</button>"
    "<button name='answer' value='cancel'>Cancel</button></form></body></html>"
)
