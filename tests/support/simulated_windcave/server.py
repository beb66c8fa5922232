"""The simulated processor behind HTTP on loopback: its interfaces, and the payer's page."""

from __future__ import annotations

import base64
from contextlib import contextmanager
from email.utils import format_datetime
from typing import TYPE_CHECKING

from tests.support.loopback import Handler, first_values, serve

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.support.simulated_windcave.account import SimulatedWindcave


@contextmanager
def serving(processor: SimulatedWindcave, port: int = 0) -> Generator[str]:
    """Serve *processor* on loopback, yield where, and stop when the block ends."""
    with serve(processor, _Handler, port) as url:
        processor.url = url
        yield url


class _Handler(Handler["SimulatedWindcave"]):
    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the time of the simulated account."""
        del timestamp
        return format_datetime(self.processor.now(), usegmt=True)

    def answer(self) -> None:
        """Answer a call, or show the page."""
        body = self.body()
        if self.path.startswith("/pxmi3/"):
            self._page(self.path.rpartition("/")[2], body.decode())
            return
        if self.path == "/pxpost.aspx":
            answer, kind = self.processor.post(body), "text/xml"
        else:
            scheme, _, given = self.headers.get("authorization", "").partition(" ")
            user = base64.b64decode(given).decode() if scheme == "Basic" else ""
            answer = self.processor.call(self.command, self.path, user, body)
            kind = "application/json"
        if answer is None:
            self.close_connection = True
            return
        self.send(answer[0], kind, answer[1])

    def _page(self, session_id: str, form: str) -> None:
        session = self.processor.sessions[session_id]
        if self.command == "GET":
            self.send(200, "text/html; charset=utf-8", _PAGE.encode())
            return
        given = first_values(form)
        result = "cancelled"
        if given.get("answer") == "pay":
            done = self.processor.pay(session_id, given.get("card", "4111111111111111"))
            result = "approved" if done["authorised"] else "declined"
        back = session["callbackUrls"][result]
        mark = "&" if "?" in back else "?"
        self.redirect(f"{back}{mark}sessionId={session_id}&status={result}")


_PAGE = (
    "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Pay</title></head>"
    "<body><h1>Pay (simulated)</h1><form method='post'>"
    "<label>Card <input name='card' value='4111111111111111'></label>"
    "<button name='answer' value='pay'>Pay now</button>"
    "<button name='answer' value='cancel'>Cancel</button></form></body></html>"
)
