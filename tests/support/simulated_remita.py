"""A simulated Remita, on loopback or in the process of a test: for who takes money through it.

It is ours and not theirs. It keeps the references of one merchant, and a journal of them on disk if
it is given a place, and serves the payer's page. What it knows of their rules is what is written
about them in public.
"""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
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
API = "/remita/exapp/api/v1/send/api/echannelsvc"


class SimulatedRemita:
    """
    One merchant at Remita.

    *now* is its clock. What it notifies of waits in `notifications`, as bodies. `breaks` are the
    answers to the next calls instead of the right ones: None is no answer at all. `lost` are the
    calls whose answers get lost after they were done. `wrap` writes an answer around its JSON, and
    `told` changes what an inquiry shows.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        journal: Path | None = None,
    ) -> None:
        self.now = now
        self.merchant_id, self.service_type_id = "2547916", "4430731"
        self.api_key, self.token = "simulated-key", "a-long-random-text-of-our-own"
        self.url = ""
        self.references: dict[str, dict[str, Any]] = {}
        self.notifications: list[bytes] = []
        self.breaks: list[Answer | None] = []
        self.lost: set[str] = set()
        self.asked: list[str] = []
        self.wrap: Callable[[str], bytes] = lambda text: f"jsonp ({text})".encode()
        self.told: dict[str, Any] = {}
        self.lock = threading.RLock()
        self._journal = journal
        if journal is not None and journal.exists():
            for line in journal.read_text().splitlines():
                about = json.loads(line)
                self.references[about["RRR"]] = about

    def _keep(self, about: dict[str, Any]) -> dict[str, Any]:
        self.references[about["RRR"]] = about
        if self._journal is not None:
            with self._journal.open("a") as file:
                file.write(json.dumps(about) + "\n")
        return about

    # --- What merchants ask -----------------------------------------------------------------

    def call(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """Answer a call of a merchant; None if no answer arrives."""
        path = urlsplit(url).path.removeprefix(API)
        with self.lock:
            if path.endswith("/paymentinit"):
                name, made = "generate", self._generate(headers, body)
            elif path.endswith("/deactivate.json"):
                name, made = "deactivate", self._deactivate(body)
            elif path.endswith("status.reg") and method == "GET":
                name, made = "status", self._status(path)
            else:
                return (404, "text/html", b"<html>Not Found</html>")
            self.asked.append(name)
            if self.breaks:
                return self.breaks.pop(0)
            if name in self.lost:
                return None
            return (200, "application/json", self.wrap(json.dumps(made)))

    def digest(self, *parts: str) -> str:
        """Return a hash as Remita makes it."""
        return hashlib.sha512("".join(parts).encode()).hexdigest()

    def _generate(self, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        order = json.loads(body)
        wanted = self.digest(
            self.merchant_id,
            order.get("serviceTypeId", ""),
            order.get("orderId", ""),
            order.get("amount", ""),
            self.api_key,
        )
        said = {name.lower(): value for name, value in headers.items()}.get("authorization", "")
        if said != f"remitaConsumerKey={self.merchant_id},remitaConsumerToken={wanted}":
            return {"statuscode": "020", "status": "Authentication invalid"}
        if not all(order.get(each) for each in ("payerName", "payerEmail", "payerPhone")):
            return {"statuscode": "022", "status": "Invalid request"}
        if any(each["orderId"] == order["orderId"] for each in self.references.values()):
            return {"statuscode": "028", "status": "Duplicate Order Ref"}
        rrr = str(140_008_260_000 + len(self.references) + 1)
        self._keep({**order, "RRR": rrr, "status": "021", "message": "Transaction Pending"})
        return {"statuscode": "025", "RRR": rrr, "status": "Payment Reference generated"}

    def _deactivate(self, body: bytes) -> dict[str, Any]:
        order = json.loads(body)
        if order.get("hash") != self.digest(order["rrr"], self.api_key, self.merchant_id):
            return {"statuscode": "020", "status": "Authentication invalid"}
        about = self.references.get(order["rrr"])
        if about is None or about["status"] in ("00", "01"):
            return {"statuscode": "02", "status": "RRR cannot be deactivated"}
        self._keep({**about, "status": "074", "message": "No record"})
        return {"statuscode": "00", "status": "SUCCESS"}

    def _status(self, path: str) -> dict[str, Any]:
        _, _, name, hashed, end = path.split("/")
        if hashed != self.digest(name, self.api_key, self.merchant_id):
            return {"message": "Invalid hash", "status": "013"}
        field = "RRR" if end == "status.reg" else "orderId"
        about = next((each for each in self.references.values() if each[field] == name), None)
        if about is None:
            return {"orderId": name, "message": "Unknown order", "status": "026"}
        amount = float(about["amount"])
        return {
            "amount": int(amount) if amount.is_integer() else amount,
            "RRR": about["RRR"],
            "orderId": about["orderId"],
            "message": about["message"],
            "transactiontime": f"{self.now():%Y-%m-%d %I:%M:%S %p}",
            "status": about["status"],
            **self.told,
        }

    # --- What the payer does ----------------------------------------------------------------

    def pay(self, rrr: str, channel: str = "CARDPAYMENT") -> dict[str, Any]:
        """Pay a reference, and notify of it."""
        return self.turn(rrr, "01", "Approved", channel)

    def turn(self, rrr: str, status: str, message: str, channel: str = "") -> dict[str, Any]:
        """Change the status of a reference, and notify of a payment."""
        with self.lock:
            about = self._keep({**self.references[rrr], "status": status, "message": message})
            if channel:
                told = {
                    "rrr": rrr,
                    "channel": channel,
                    "amount": float(about["amount"]),
                    "orderId": about["orderId"],
                    "type": "PY",
                }
                self.notifications.append(json.dumps([told]).encode())
            return about


@contextmanager
def serving(processor: SimulatedRemita, port: int = 0) -> Generator[str]:
    """Serve *processor* on loopback, yield where, and stop when the block ends."""
    with serve(processor, _Handler, port) as url:
        processor.url = url
        yield url


class _Handler(Handler["SimulatedRemita"]):
    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the time of the simulated account."""
        del timestamp
        return format_datetime(self.processor.now(), usegmt=True)

    def answer(self) -> None:
        """Answer a call, or show the page."""
        body = self.body()
        if urlsplit(self.path).path == "/remita/ecomm/finalize.reg":
            self._page(first_values(body.decode()))
            return
        answer = self.processor.call(self.command, self.path, dict(self.headers.items()), body)
        if answer is None:
            self.close_connection = True
            return
        self.send(*answer)

    def _page(self, form: dict[str, str]) -> None:
        processor = self.processor
        rrr = form.get("rrr", "")
        wanted = processor.digest(processor.merchant_id, rrr, processor.api_key)
        if rrr not in processor.references or form.get("hash") != wanted:
            self.send(403, "text/html", b"<title>No</title><h1>Not accepted (simulated)</h1>")
            return
        match form.get("answer", ""):
            case "pay":
                processor.pay(rrr)
                self._back(form["responseurl"], rrr)
            case "fail":
                processor.turn(rrr, "030", "Insufficient balance")
                self._back(form["responseurl"], rrr)
            case "bank":
                self._back(form["responseurl"], rrr)
            case _:
                hidden = "".join(
                    f'<input type="hidden" name="{name}" value="{value}">'
                    for name, value in form.items()
                )
                self.send(200, "text/html; charset=utf-8", _PAGE.format(rrr, hidden).encode())

    def _back(self, url: str, rrr: str) -> None:
        order = self.processor.references[rrr]["orderId"]
        mark = "&" if "?" in url else "?"
        self.redirect(f"{url}{mark}RRR={rrr}&orderID={order}&status=00&statuscode=00")


_PAGE = (
    "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Remita</title></head>"
    "<body><h1>Remita (simulated)</h1><p>{0}</p><form method='post'>{1}"
    "<button name='answer' value='pay'>Pay now</button>"
    "<button name='answer' value='fail'>Pay with an empty card</button>"
    "<button name='answer' value='bank'>Pay at a bank later</button></form></body></html>"
)
