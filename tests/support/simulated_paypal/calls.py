"""The simulated processor: which call does what, and how a repeated one is answered."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from tests.support.simulated_paypal.orders import Orders
from tests.support.simulated_paypal.state import HIDDEN, Json, Refused, not_found, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN_LIVES: Final = timedelta(hours=9)
KEPT: Final = {
    "checkout": timedelta(hours=6),
    "payments": timedelta(days=45),
    "vault": timedelta(hours=3),
}
"""For how long an answer is kept under its request id, by the part of the interface."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, the body, and what else the headers say."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class SimulatedPayPal(Orders):
    """
    One account in the sandbox of a simulated PayPal.

    `breaks` has what goes wrong with the next requests that change something, in order: ``lost
    request`` and ``lost answer`` break the connection before and after it is done, ``500`` fails
    though it was done, ``503`` and ``html`` turn it away, ``revoked`` forgets all access tokens,
    and ``fine`` lets one pass.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._kept: dict[tuple[str, str], tuple[datetime, Answer]] = {}
        self.tokens: dict[str, datetime] = {}
        self.signed_in = 0

    def call(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """Answer one call; None if the connection breaks."""
        said = {name.lower(): value for name, value in headers.items()}
        parts = urlsplit(url)
        with self.lock:
            self.lapse()
            if parts.path.startswith("/v1/notifications/certs/"):
                return Answer(200, self.certificate, {})
            if parts.path == "/v1/oauth2/token":
                return self._sign_in(said, body)
            if not self._is_signed_in(said):
                return _refused(Refused(401, "AUTHENTICATION_FAILURE"))
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            if method == "GET" or "notifications" in parts.path:
                return self._done(method, parts.path, query, body)
            return self._broken(method, parts.path, said.get("paypal-request-id", ""), body)

    def _broken(self, method: str, path: str, key: str, body: bytes) -> Answer | None:
        fault = self.breaks.pop(0) if self.breaks else "fine"
        match fault:
            case "lost request":
                return None
            case "503":
                return _refused(Refused(503, "SERVICE_UNAVAILABLE"))
            case "html":
                return Answer(502, b"<html><body>Bad gateway</body></html>", {})
            case "revoked":
                self.tokens.clear()
                return _refused(Refused(401, "AUTHENTICATION_FAILURE"))
            case _:
                answer = self._once(method, path, key, body)
        if fault == "lost answer":
            return None
        return _refused(Refused(500, "INTERNAL_SERVER_ERROR")) if fault == "500" else answer

    # --- Signing in ------------------------------------------------------------------------------

    def _sign_in(self, headers: Mapping[str, str], body: bytes) -> Answer:
        pair = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        if headers.get("authorization") != f"Basic {pair}":
            error = {"error": "invalid_client", "error_description": "Client Authentication failed"}
            return Answer(401, json.dumps(error).encode(), {})
        assert body == b"grant_type=client_credentials", body
        self.signed_in += 1
        token = f"A21AA-simulated-{self.signed_in}"
        self.tokens[token] = self.now() + TOKEN_LIVES
        lives = int(TOKEN_LIVES.total_seconds())
        return _told({"access_token": token, "token_type": "Bearer", "expires_in": lives})

    def _is_signed_in(self, headers: Mapping[str, str]) -> bool:
        token = headers.get("authorization", "").removeprefix("Bearer ")
        return self.tokens.get(token, self.now()) > self.now()

    # --- What is done once -----------------------------------------------------------------------

    def _once(self, method: str, path: str, key: str, body: bytes) -> Answer:
        kept = self._kept.get((path, key)) if key else None
        lives = next((time for part, time in KEPT.items() if f"/{part}/" in path), timedelta())
        if kept is not None and kept[0] + lives > self.now():
            again = 200 if kept[1].status == 201 else kept[1].status
            return Answer(again, kept[1].body, kept[1].headers)
        answer = self._done(method, path, {}, body, key)
        if answer.status < 300:
            self._kept[path, key] = (self.now(), answer)
        return answer

    def _done(
        self, method: str, path: str, query: Mapping[str, str], body: bytes, key: str = ""
    ) -> Answer:
        given: Any = json.loads(body) if body else {}
        self.asked.append((method, path, given))
        try:
            self._check_body(method, path, given if body else None, key)
            parts = path.strip("/").split("/")
            if method == "GET":
                return _told(self._read(parts, query))
            return self._do(method, parts, given)
        except Refused as refused:
            return _refused(refused)
        except (KeyError, ValueError) as bug:
            return _refused(Refused(400, "INVALID_REQUEST", "MISSING_REQUIRED_PARAMETER", str(bug)))

    def _read(self, parts: list[str], query: Mapping[str, str]) -> Any:
        match parts:
            case ["v2", "checkout", "orders", id_]:
                return self.shown(self.find("order", id_))
            case ["v2", "payments", ("captures" | "refunds" | "authorizations") as what, id_]:
                return self.find(what.removesuffix("s"), id_)
            case ["v3", "vault", "setup-tokens", id_]:
                return self.find("setup", id_)
            case ["v1", "notifications", "webhooks"]:
                url = "https://shop.example/callbacks/paypal"
                hook = {"id": self.webhook_id, "url": url, "event_types": [{"name": "*"}]}
                return {"webhooks": [hook]}
            case ["v1", "notifications", "webhooks-events"]:
                return self.events_between(query)
            case ["v1", "reporting", "transactions"]:
                return self.rows_between(query)
            case ["v1", "reporting", "balances"]:
                return {"balances": [], "account_id": self.merchant_id}
            case ["v1", "customer", "disputes"]:
                return {"items": self.disputes_of(query["disputed_transaction_id"])[::-1]}
            case ["v1", "customer", "disputes", id_]:
                return self.find("dispute", id_.removeprefix("PP-D-"))
            case _:
                raise not_found()

    def _do(self, method: str, parts: list[str], given: Json) -> Answer:
        match parts:
            case ["v2", "checkout", "orders"]:
                return _told(self.create_order(given), 201)
            case ["v2", "checkout", "orders", id_, ("capture" | "authorize") as verb]:
                return _told(self.take_order(id_, verb.upper(), given), 201)
            case ["v2", "payments", "captures", id_, "refund"]:
                return _told(self.refund(id_, given), 201)
            case ["v2", "payments", "authorizations", id_, "capture"]:
                return _told(self.capture_hold(id_, given), 201)
            case ["v2", "payments", "authorizations", id_, "void"]:
                return _told(self.void_hold(id_))
            case ["v3", "vault", "setup-tokens"]:
                return _told(self.create_setup(given), 201)
            case ["v3", "vault", "payment-tokens"]:
                return _told(self.exchange(given), 201)
            case ["v3", "vault", "payment-tokens", id_] if method == "DELETE":
                self.delete_token(id_)
                return _told(None, 204)
            case ["v1", "notifications", "verify-webhook-signature"]:
                return _told({"verification_status": self.is_genuine(given)})
            case _:
                raise not_found()

    def _check_body(self, method: str, path: str, given: Any, key: str) -> None:
        problems = self.check(method, path, given) if self.check is not None else []
        self.problems += problems
        if problems:
            raise Refused(400, "INVALID_REQUEST", "INVALID_PARAMETER_SYNTAX", "; ".join(problems))
        if method == "POST" and "payment_source" in (given or ()) and not key:
            raise Refused(400, "INVALID_REQUEST", "PAYPAL_REQUEST_ID_REQUIRED")

    # --- Stored wallets --------------------------------------------------------------------------

    def create_setup(self, given: Json) -> Json:
        """Begin to store a wallet."""
        if not self.vault_enabled:
            raise Refused(403, "NOT_AUTHORIZED", "NOT_ENABLED_TO_VAULT_PAYMENT_SOURCE")
        setup = self.new("setup", status="PAYER_ACTION_REQUIRED", **{HIDDEN: {"payer": ""}})
        site = self.url or "https://www.sandbox.paypal.com"
        href = f"{site}/agreements/approve?approval_session_id={setup['id']}"
        setup["links"] = [{"href": href, "rel": "approve", "method": "GET"}]
        setup["customer"] = given.get("customer") or {"id": f"cust-{setup['id'][-6:]}"}
        return self.put("setup", setup)

    def approve_setup(self, id_: str, payer: str = "ada") -> None:
        """Let a payer approve that their wallet is stored."""
        setup = self.find("setup", id_)
        setup[HIDDEN]["payer"] = payer
        self.changed("setup", setup, status="APPROVED", links=[])

    def exchange(self, given: Json) -> Json:
        """Store the wallet that was approved."""
        setup = self.find("setup", given["payment_source"]["token"]["id"])
        if setup["status"] != "APPROVED":
            raise Refused(422, "UNPROCESSABLE_ENTITY", "PAYER_ACTION_REQUIRED")
        token = self.keep_wallet(setup[HIDDEN]["payer"], setup["customer"])
        self.changed("setup", setup, status="VAULTED")
        return token

    def delete_token(self, id_: str) -> None:
        """Delete a stored wallet."""
        self.find("token", id_)
        del self.objects["token"][id_]
        self.tell("VAULT.PAYMENT-TOKEN.DELETED", {"id": id_}, "payment_token")

    # --- What is listed --------------------------------------------------------------------------

    def events_between(self, given: Mapping[str, str]) -> Json:
        """Return the events of a period, the newest first."""
        found = [
            each
            for each in self.all("WH-event")
            if given["start_time"] <= each["create_time"] <= given["end_time"]
        ][::-1]
        size, page = int(given.get("page_size", 10)), int(given.get("page", 1))
        shown = found[(page - 1) * size : page * size]
        links = []
        if page * size < len(found):
            query = "&".join(f"{name}={given[name]}" for name in given if name != "page")
            href = f"https://api-m.sandbox.paypal.com/v1/notifications/webhooks-events?{query}"
            links = [{"href": f"{href}&page={page + 1}", "rel": "next", "method": "GET"}]
        return {"events": shown, "count": len(shown), "links": links}

    def rows_between(self, given: Mapping[str, str]) -> Json:
        """Return the rows of a period that are in the report by now: it is two hours late."""
        served = self.time(timedelta(hours=-2))
        until = min(given["end_date"], served)
        rows = [each["row"] for each in self.all("row")]
        found = [
            {"transaction_info": row}
            for row in rows
            if given["start_date"] <= row["transaction_updated_date"] <= until
        ]
        return {
            "transaction_details": found,
            "account_number": self.merchant_id,
            "end_date": until,
            "page": 1,
            "total_pages": 1,
        }

    def is_genuine(self, given: Json) -> str:
        """Return whether this account sent a webhook."""
        import zlib

        sent = self.objects.get("transmission", {}).get(given["transmission_id"])
        body = json.dumps(given["webhook_event"]).encode()
        if sent is None or given["webhook_id"] != self.webhook_id:
            return "FAILURE"
        same = sent["sig"] == given["transmission_sig"] and sent["crc"] == zlib.crc32(body)
        return "SUCCESS" if same else "FAILURE"


def _told(value: Any, status: int = 200) -> Answer:
    headers = {"paypal-debug-id": "b1d1f06c7246c"}
    return Answer(status, b"" if status == 204 else json.dumps(plain(value)).encode(), headers)


def _refused(refused: Refused) -> Answer:
    body = json.dumps(refused.error).encode()
    return Answer(refused.status, body, {"paypal-debug-id": refused.error["debug_id"]})
