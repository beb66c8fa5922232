"""A simulated Skrill, on loopback or in the process of a test: for who takes money through it.

It is ours and not theirs. It keeps the sessions, transactions and refunds of one account, and a
journal of them on disk if it is given a place, signs its reports, and serves the payer's page. What
it knows of their rules is what is written about them in public.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.support.loopback import Handler, first_values, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from pathlib import Path

Answer: TypeAlias = "tuple[int, str, bytes]"
"""A status, a content type and a body."""

HTML: Answer = (200, "text/html", b"<html><body>Please try again later</body></html>")
EMPTY: Answer = (200, "text/plain", b"")
BROKEN: Answer = (500, "text/html", b"<html>Internal Server Error</html>")


def plain(amount: Decimal) -> str:
    """Return an amount as Skrill reports it: without zeros at the end."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class SimulatedSkrill:
    """
    One account at Skrill.

    *now* is its clock, *wallet_currency* what it is paid in: amounts in other currencies arrive
    converted. What it reports waits in `reports`, as address and body. `breaks` are the answers to
    the next calls instead of the right ones: None is no answer at all. `lost` are answers that get
    lost after the call was done.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        wallet_currency: str = "EUR",
        journal: Path | None = None,
    ) -> None:
        self.now, self.wallet_currency = now, wallet_currency
        self.email, self.merchant_id = "merchant@example.com", "4637827"
        self.secret_word, self.api_password = "secretword", "simulated-password"
        self.status_url = "https://shop.example/callbacks/skrill"
        self.url = ""
        self.sessions: dict[str, dict[str, str]] = {}
        self.transactions: dict[str, dict[str, str]] = {}
        self.refunds: dict[str, dict[str, str]] = {}
        self.reports: list[tuple[str, bytes]] = []
        self.breaks: list[Answer | None] = []
        self.lost: set[str] = set()
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.sha2 = True
        self.extra: dict[str, str] = {}
        self.lock = threading.RLock()
        self._journal = journal
        self._count = 200_000
        if journal is not None and journal.exists():
            self._reload(journal)

    # --- What is kept -----------------------------------------------------------------------

    def _keep(self, kind: str, name: str, about: dict[str, str]) -> dict[str, str]:
        getattr(self, kind)[name] = about
        if self._journal is not None:
            with self._journal.open("a") as file:
                file.write(json.dumps([kind, name, about]) + "\n")
        return about

    def _reload(self, journal: Path) -> None:
        for line in journal.read_text().splitlines():
            kind, name, about = json.loads(line)
            getattr(self, kind)[name] = about
            self._count += 1

    def _number(self) -> str:
        self._count += 1
        return str(self._count)

    # --- What merchants ask -----------------------------------------------------------------

    def call(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """Answer a call of a merchant; None if no answer arrives."""
        del headers
        parts = urlsplit(url)
        form = first_values(body.decode() if method == "POST" else parts.query)
        with self.lock:
            name = form.get("action") or "page"
            self.asked.append((name, form))
            if self.breaks:
                return self.breaks.pop(0)
            match parts.path.rstrip("/"):
                case "":
                    answer = self._prepare(form)
                case "/app/query.pl":
                    answer = self._query(form)
                case "/app/refund.pl":
                    answer = self._refund(form)
                case _:
                    return (404, "text/html", b"<html>Not Found</html>")
            return None if name in self.lost else answer

    def _prepare(self, form: dict[str, str]) -> Answer:
        paid = self._of_merchant(form.get("transaction_id", ""))
        if form.get("pay_to_email") != self.email or (paid and paid["status"] == "2"):
            error = {"code": "BAD_REQUEST", "message": "Invalid request parameters"}
            return (400, "application/json", json.dumps(error).encode())
        session = secrets.token_hex(16)
        self._keep("sessions", session, form)
        return (200, "text/plain", session.encode())

    def _of_merchant(self, name: str) -> dict[str, str] | None:
        found = [each for each in self.transactions.values() if each["transaction_id"] == name]
        return found[-1] if found else None

    def _may_ask(self, form: dict[str, str]) -> bool:
        digest = hashlib.md5(self.api_password.encode()).hexdigest()  # noqa: S324  (their rule)
        return form.get("email") == self.email and form.get("password") == digest

    def _query(self, form: dict[str, str]) -> Answer:
        if not self._may_ask(form):
            return (200, "text/plain", b"401\t\tCannot login")
        if "trn_id" in form:
            found = self._of_merchant(form["trn_id"])
        else:
            everything = {**self.transactions, **self.refunds}
            found = everything.get(form.get("mb_trn_id", ""))
        if found is None:
            name = form.get("trn_id") or form.get("mb_trn_id", "")
            return (200, "text/plain", f"403\t\tTransaction not found: {name}".encode())
        told = urlencode(self._told({**found, **self.extra}), encoding="latin-1")
        return (200, "text/plain", f"200\t\tOK\n{told}\n".encode())

    def _refund(self, form: dict[str, str]) -> Answer:
        if form.get("action") == "prepare":
            found = self.transactions.get(form.get("mb_transaction_id", ""))
            if not self._may_ask(form):
                return self._xml(error="CANNOT_LOGIN")
            if found is None or found["status"] != "2":
                return self._xml(error="INVALID_TRANSACTION")
            session = secrets.token_hex(16)
            self._keep("sessions", session, form)
            return self._xml(sid=session)
        order = self.sessions.get(form.get("sid", ""))
        if order is None:
            return self._xml(error="INVALID_SID")
        if order.get("done"):
            return self._xml(error="ALREADY_EXECUTED")
        of = self.transactions[order["mb_transaction_id"]]
        left = Decimal(of["mb_amount"]) - sum(
            Decimal(each["mb_amount"]) for each in self.refunds.values() if each["of"] == of["id"]
        )
        amount = Decimal(order.get("amount") or of["mb_amount"])
        if amount > left:
            return self._xml(error="ALREADY_REFUNDED" if not left else "INVALID_AMOUNT")
        self._keep("sessions", form["sid"], {**order, "done": "yes"})
        name = self._number()
        made = {
            **of,
            "id": name,
            "of": of["id"],
            "mb_transaction_id": name,
            "mb_amount": plain(amount),
            "amount": plain(amount) if of["mb_currency"] == of["currency"] else of["amount"],
            "pay_to_email": of["pay_from_email"],
            "pay_from_email": self.email,
            "status": "2",
        }
        self._keep("refunds", name, made)
        if order.get("refund_status_url"):
            self._report(order["refund_status_url"], made)
        shown = ("mb_amount", "mb_currency", "mb_transaction_id", "merchant_id", "transaction_id")
        return self._xml(**{each: made[each] for each in shown}, status="2")

    def _xml(self, *, error: str = "", **members: str) -> Answer:
        inner = "".join(f"<{name}>{value}</{name}>" for name, value in members.items())
        wrong = f"<error><error_msg>{error}</error_msg></error>" if error else ""
        text = f'<?xml version="1.0" encoding="UTF-8"?><response>{wrong}{inner}</response>'
        return (200, "text/xml", text.encode())

    # --- What the payer does ----------------------------------------------------------------

    def pay(self, session: str, status: str = "2", **more: str) -> dict[str, str]:
        """Pay in a session, with the *status* that comes of it."""
        with self.lock:
            form, name = self.sessions[session], self._number()
            amount, currency = Decimal(form["amount"]), form["currency"]
            same = currency == self.wallet_currency
            made = {
                "id": name,
                "pay_to_email": self.email,
                "pay_from_email": "payer@example.com",
                "merchant_id": self.merchant_id,
                "transaction_id": form["transaction_id"],
                "mb_transaction_id": name,
                "mb_amount": plain(amount if same else amount * Decimal("0.85")),
                "mb_currency": self.wallet_currency,
                "amount": plain(amount),
                "currency": currency,
                "status": status,
                "status_url": form.get("status_url", ""),
                **more,
            }
            return self.turn(self._keep("transactions", name, made)["id"], status)

    def turn(self, name: str, status: str) -> dict[str, str]:
        """Change the status of a transaction, and report it."""
        with self.lock:
            made = self._keep("transactions", name, {**self.transactions[name], "status": status})
            if made["status_url"]:
                self._report(made["status_url"], made)
            return made

    def _report(self, url: str, about: dict[str, str]) -> None:
        self.reports.append((url, urlencode(self._told(about)).encode()))

    def _told(self, about: dict[str, str]) -> dict[str, str]:
        hidden = ("id", "of", "status_url")
        told = {name: value for name, value in about.items() if name not in hidden}
        told["md5sig"] = self.signature(told, "md5")
        if self.sha2:
            told["sha2sig"] = self.signature(told, "sha256")
        return told

    def signature(self, told: Mapping[str, str], algorithm: str) -> str:
        """Return the signature of a report."""

        def digest(text: str) -> str:
            return hashlib.new(algorithm, text.encode()).hexdigest().upper()

        names = ("mb_amount", "mb_currency", "status")
        return digest(
            told["merchant_id"]
            + told["transaction_id"]
            + digest(self.secret_word)
            + "".join(told[name] for name in names)
        )


@contextmanager
def serving(processor: SimulatedSkrill, port: int = 0) -> Generator[str]:
    """Serve *processor* on loopback, yield where, and stop when the block ends."""
    with serve(processor, _Handler, port) as url:
        processor.url = url
        yield url


class _Handler(Handler["SimulatedSkrill"]):
    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the time of the simulated account."""
        del timestamp
        return format_datetime(self.processor.now(), usegmt=True)

    def answer(self) -> None:
        """Answer a call, or show the page."""
        body, parts = self.body(), urlsplit(self.path)
        session = first_values(parts.query).get("sid", "")
        if session:
            self._page(session, body)
            return
        answer = self.processor.call(self.command, self.path, dict(self.headers.items()), body)
        if answer is None:
            self.close_connection = True
            return
        self.send(*answer)

    def _page(self, session: str, body: bytes) -> None:
        form = self.processor.sessions.get(session)
        if form is None:
            self.send(404, "text/html", b"<title>Gone</title><h1>No such session (simulated)</h1>")
            return
        given: dict[str, Any] = parse_qs(body.decode())
        match given.get("answer", [""])[0]:
            case "pay":
                self.processor.pay(session)
                self.redirect(form["return_url"])
            case "fail":
                self.processor.pay(session, "-2", failed_reason_code="05")
                self.redirect(form["return_url"])
            case "wait":
                self.processor.pay(session, "0")
                self.redirect(form["return_url"])
            case "cancel":
                self.redirect(form["cancel_url"])
            case _:
                self.send(200, "text/html; charset=utf-8", _PAGE.encode())


_PAGE = (
    "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Skrill</title></head>"
    "<body><h1>Skrill (simulated)</h1><form method='post'>"
    "<button name='answer' value='pay'>Pay now</button>"
    "<button name='answer' value='fail'>Pay with an empty card</button>"
    "<button name='answer' value='wait'>Pay from a bank</button>"
    "<button name='answer' value='cancel'>Cancel</button></form></body></html>"
)
