"""A simulated Payarena, on loopback or in the process of a test: for who takes money through it.

It is ours and not theirs. It keeps the transactions of a merchant, and a journal of them on disk if
it is given a place, and serves the payer's page. What it knows of their rules is what is written
about them in public.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from tests.support.loopback import Handler, first_values, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from pathlib import Path

Answer: TypeAlias = "tuple[int, str, bytes]"
"""A status, a content type and a body."""

HTML: Answer = (200, "text/html", b"<html><body>Please try again later</body></html>")
EMPTY: Answer = (200, "application/json", b"")
BROKEN: Answer = (500, "text/html", b"<html>Internal Server Error</html>")


class SimulatedPayarena:
    """
    One merchant at Payarena.

    *now* is its clock. `breaks` are the answers to the next calls instead of the right ones: None
    is no answer at all. `lost` are the calls whose answers get lost after they were done. `told`
    changes what a question about a transaction shows.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        journal: Path | None = None,
    ) -> None:
        self.now = now
        self.merchant_id, self.secret_key = "SIMULATED1", "simulated-secret-key"
        self.url = ""
        self.transactions: dict[str, dict[str, Any]] = {}
        self.breaks: list[Answer | None] = []
        self.lost: set[str] = set()
        self.asked: list[str] = []
        self.told: dict[str, Any] = {}
        self.quoted = False
        self.lock = threading.RLock()
        self._journal = journal
        if journal is not None and journal.exists():
            for line in journal.read_text().splitlines():
                about = json.loads(line)
                self.transactions[about["id"]] = about

    def _keep(self, about: dict[str, Any]) -> dict[str, Any]:
        self.transactions[about["id"]] = about
        if self._journal is not None:
            with self._journal.open("a") as file:
                file.write(json.dumps(about) + "\n")
        return about

    # --- What merchants ask -----------------------------------------------------------------

    def call(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """Answer a call of a merchant; None if no answer arrives."""
        del headers
        path = urlsplit(url).path.strip("/")
        with self.lock:
            name = "create" if method == "POST" else "status"
            self.asked.append(name)
            if self.breaks:
                return self.breaks.pop(0)
            made = self._create(path, body) if method == "POST" else self._status(path)
            return None if name in self.lost else made

    def _create(self, merchant: str, body: bytes) -> Answer:
        order = json.loads(body)
        if merchant != self.merchant_id or order.get("secretKey") != self.secret_key:
            return (401, "text/html", b"<html>Unauthorized</html>")
        if len(order["description"]) > 150 or len(order["returnUrl"]) > 150:
            return (400, "text/html", b"<html>Bad Request</html>")
        name = str(2_435_647 + len(self.transactions))
        # The amount as its digits were sent: a float would not keep them.
        amount = body.rpartition(b'"amount":')[2].partition(b"}")[0].partition(b",")[0].decode()
        self._keep({**order, "id": name, "amount": amount, "state": "Initiated"})
        text = f'"{name}"' if self.quoted else name
        return (200, "application/json", text.encode())

    def _status(self, path: str) -> Answer:
        about = self.transactions.get(path.removeprefix("Status/"))
        if about is None:
            return (200, "text/html", b"<html>Not found</html>")
        whole, _, rest = about["amount"].partition(".")
        shown = {
            "Order Id": about["id"],
            "Amount": f"{whole}.{rest:0<2}",
            "Description": about["description"],
            "Convenience Fee": "0.00",
            "Currency": str(about["currency"]),
            "Status": about["state"],
            "Card Holder": None,
            "PAN": "987650XXXX4321",
            "Scheme": "VISA",
            "StatusDescription": about["state"],
            "Approval Code": "012345",
            "TranDateTime": f"{self.now():%d/%m/%Y %H:%M:%S}",
            **self.told,
        }
        return (200, "application/json", json.dumps(shown, ensure_ascii=False).encode("latin-1"))

    # --- What the payer does ----------------------------------------------------------------

    def turn(self, name: str, state: str = "APPROVED") -> dict[str, Any]:
        """Change the state of a transaction."""
        with self.lock:
            return self._keep({**self.transactions[name], "state": state})


@contextmanager
def serving(processor: SimulatedPayarena, port: int = 0) -> Generator[str]:
    """Serve *processor* on loopback, yield where, and stop when the block ends."""
    with serve(processor, _Handler, port) as url:
        processor.url = url
        yield url


class _Handler(Handler["SimulatedPayarena"]):
    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the time of the simulated account."""
        del timestamp
        return format_datetime(self.processor.now(), usegmt=True)

    def answer(self) -> None:
        """Answer a call, or show the page."""
        body = self.body()
        about = self.processor.transactions.get(urlsplit(self.path).path.strip("/"))
        if about is not None:
            self._page(about, first_values(body.decode()).get("answer", ""))
            return
        answer = self.processor.call(self.command, self.path, dict(self.headers.items()), body)
        if answer is None:
            self.close_connection = True
            return
        self.send(*answer)

    def _page(self, about: dict[str, Any], answer: str) -> None:
        """Show the page; its end is a form that the payer's browser posts to the merchant."""
        states = {"pay": "APPROVED", "decline": "Declined", "cancel": "Cancelled"}
        if answer in states:
            self.processor.turn(about["id"], states[answer])
        elif answer != "leave":
            self.send(200, "text/html; charset=utf-8", _PAGE.encode())
            return
        approved = "true" if answer == "pay" else "false"
        self.send(
            200,
            "text/html; charset=utf-8",
            _END.format(escape(about["returnUrl"]), about["id"], approved).encode(),
        )


_PAGE = (
    "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Payarena</title></head>"
    "<body><h1>Payarena (simulated)</h1><form method='post'>"
    "<button name='answer' value='pay'>Pay now</button>"
    "<button name='answer' value='decline'>Pay with an empty card</button>"
    "<button name='answer' value='leave'>Confirm in the app later</button>"
    "<button name='answer' value='cancel'>Cancel</button></form></body></html>"
)
_END = (
    "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Payarena</title></head>"
    "<body><h1>Done (simulated)</h1><form method='post' action='{0}'>"
    "<input type='hidden' name='trxId' value='{1}'>"
    "<input type='hidden' name='status' value='APPROVED'>"
    "<input type='hidden' name='approved' value='{2}'>"
    "<button>Back to the merchant</button></form></body></html>"
)
