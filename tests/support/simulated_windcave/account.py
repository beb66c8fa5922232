"""The account: sessions, transactions and stored cards, by REST and PxPost."""

from __future__ import annotations

import json
import threading
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]

CODES: Final = {
    "4111111111111111": ("00", "APPROVED"),
    "5431111111111111": ("00", "APPROVED"),
    "4999999999999996": ("54", "CARD EXPIRED"),
    "5431111111111228": ("51", "INSUFFICIENT FUNDS"),
    "4999999999999236": ("05", "DO NOT HONOUR"),
    "4999999999999202": ("U9", "TIMEOUT"),
}
"""The published test cards, and what they answer."""

USER: Final = "ShopRest_Dev"


@dataclass
class SimulatedWindcave:
    """
    One account in UAT.

    `breaks` has what goes wrong with the next requests that move money: ``lost request`` and
    ``lost answer`` break the connection before and after it is done, ``html`` answers with the
    page of a proxy, ``202`` says that it is still being processed. `journal` has each request.
    """

    now: Callable[[], datetime] = lambda: datetime(2026, 8, 3, 12, 0, tzinfo=UTC)
    url: str = "http://127.0.0.1"
    breaks: list[str] = field(default_factory=list[str])
    journal: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    sessions: dict[str, Json] = field(default_factory=dict[str, Json])
    transactions: dict[str, Json] = field(default_factory=dict[str, Json])
    cards: dict[str, str] = field(default_factory=dict[str, str])
    by_txn_id: dict[str, str] = field(default_factory=dict[str, str])
    lock: threading.RLock = field(default_factory=threading.RLock)

    # --- The payer ----------------------------------------------------------------------

    def pay(self, session_id: str, card: str = "4111111111111111") -> Json:
        """Let the payer enter a card in a session, once."""
        with self.lock:
            session = self.sessions[session_id]
            if session["state"] != "init":
                raise ValueError("this session is complete")
            body = {**session, "cardNumber": card}
            made = self._transaction(body, session["type"], session_id=session_id)
            session["state"] = "complete"
            session["transactions"] = [made]
            return made

    def received(self) -> Decimal:
        """What this account received, less what it sent back."""
        signs = {"purchase": 1, "complete": 1, "refund": -1, "void": -1}
        return sum(
            (
                signs.get(each["type"], 0) * Decimal(each["moved"])
                for each in self.transactions.values()
                if each["authorised"]
            ),
            Decimal(0),
        )

    # --- REST ---------------------------------------------------------------------------

    def call(self, method: str, path: str, user: str, body: bytes) -> tuple[int, bytes] | None:
        """Answer one call; None if the connection breaks."""
        with self.lock:
            self.journal.append((method, path))
            if not user.startswith(f"{USER}:"):
                return self._refused(401, "authorization", "Invalid credentials")
            parts = path.removeprefix("/api/v1/").split("/")
            kept = {"sessions": self.sessions, "transactions": self.transactions}[parts[0]]
            if method == "GET":
                found = kept.get(parts[1])
                if found is None:
                    return self._refused(404, "id", "Not found")
                return 200, json.dumps(_shown(found)).encode()
            asked: Json = json.loads(body)
            if parts[0] == "sessions":
                return self._session(asked)
            return self._moved(lambda: self._make(asked))

    def _moved(self, make: Callable[[], tuple[int, bytes]]) -> tuple[int, bytes] | None:
        fault = self.breaks.pop(0) if self.breaks else ""
        if fault == "lost request":
            return None
        if fault == "html":
            return 502, b"<html><body>Bad gateway</body></html>"
        answer = make()
        if fault == "202":
            made = json.loads(answer[1])
            del made["authorised"]
            return 202, json.dumps(made).encode()
        return None if fault == "lost answer" else answer

    def _session(self, asked: Json) -> tuple[int, bytes]:
        identity = f"{len(self.sessions) + 1:032x}"
        base = f"{self.url}/api/v1/sessions/{identity}"
        session = {
            **asked,
            "id": identity,
            "state": "init",
            "expires": f"{self.now() + timedelta(days=3):%Y-%m-%dT%H:%M:%SZ}",
            "storeCard": asked.get("storeCard", False),
            "links": [
                {"href": base, "rel": "self", "method": "GET"},
                {"href": f"{self.url}/pxmi3/{identity}", "rel": "hpp", "method": "REDIRECT"},
                {"href": f"{self.url}/ajax/{identity}", "rel": "ajaxSubmitCard", "method": "POST"},
            ],
        }
        self.sessions[identity] = session
        return 202, json.dumps(session).encode()

    def _make(self, asked: Json) -> tuple[int, bytes]:
        of_type = asked["type"]
        if of_type in ("purchase", "auth"):
            number = self.cards.get(asked["cardId"])
            if number is None:
                return self._refused(400, "cardId", "No such card")
            made = self._transaction({**asked, "cardNumber": number}, of_type)
        else:
            original = self.transactions.get(asked["transactionId"])
            if original is None:
                return self._refused(400, "transactionId", "No such transaction")
            made = self._follow(asked, original)
        return 201, json.dumps(_shown(made)).encode()

    def _follow(self, asked: Json, original: Json) -> Json:
        amount: str = asked.get("amount") or original["amount"]
        facts = {**original, "merchantReference": asked["merchantReference"], "amount": amount}
        left = Decimal(original["moved"]) - Decimal(original["back"])
        done = Decimal(amount) <= left or original["type"] == "auth"
        if done and asked["type"] in ("refund", "void"):
            original["back"] = str(Decimal(original["back"]) + Decimal(amount))
        moved = "0" if original["type"] == "auth" and asked["type"] == "void" else amount
        code = ("00", "APPROVED") if done else ("12", "NOT ALLOWED")
        return self._transaction({**facts, "moved": moved}, asked["type"], code=code)

    def _transaction(
        self,
        asked: Json,
        of_type: str,
        *,
        session_id: str = "",
        code: tuple[str, str] | None = None,
    ) -> Json:
        identity = f"{len(self.transactions) + 1:016x}"
        number = asked.get("cardNumber", "4111111111111111")
        said, text = code or CODES.get(number, ("00", "APPROVED"))
        card = {
            "cardHolderName": "ADA LOVELACE",
            "cardNumber": f"{number[:6]}......{number[-4:]}",
            "dateExpiryMonth": "09",
            "dateExpiryYear": "33",
            "type": "visa" if number.startswith("4") else "mastercard",
        }
        if asked.get("storeCard") and said == "00":
            card["id"] = f"{len(self.cards) + 1:016d}"
            self.cards[card["id"]] = number
        holds = of_type in ("auth", "validate")
        made = {
            "id": identity,
            "username": USER,
            "authorised": said == "00",
            "allowRetry": said == "51",
            "reCo": said,
            "responseText": text,
            "type": of_type,
            "dateTimeUtc": f"{self.now():%Y-%m-%dT%H:%M:%SZ}",
            "amount": asked["amount"],
            "back": "0",
            "moved": asked.get("moved", "0" if holds else asked["amount"]),
            "currency": asked["currency"],
            "merchantReference": asked["merchantReference"],
            "card": card,
            "number": number,
            "cvc2ResultCode": "M",
            "traceId": "012345678912345___",
            **({"sessionId": session_id} if session_id else {}),
        }
        self.transactions[identity] = made
        return made

    def _refused(self, status: int, target: str, message: str) -> tuple[int, bytes]:
        error = {"requestId": "r-1", "errors": [{"target": target, "message": message}]}
        return status, json.dumps(error).encode()

    # --- PxPost -------------------------------------------------------------------------

    def post(self, body: bytes) -> tuple[int, bytes] | None:
        """Answer one document sent to PxPost; None if the connection breaks."""
        with self.lock:
            said = {each.tag: each.text or "" for each in ET.fromstring(body)}  # noqa: S314
            self.journal.append(("PXPOST", said["TxnType"]))
            if said["PostPassword"] != "pxpost-password":
                text = "<Txn><ReCo>0</ReCo><ResponseText>Invalid Credentials</ResponseText></Txn>"
                return 200, text.encode()
            if said["TxnType"] == "Status":
                found = self.transactions.get(self.by_txn_id.get(said["TxnId"], ""))
                return 200, _xml(found).encode()
            return self._moved(lambda: self._post(said))

    def _post(self, said: Json) -> tuple[int, bytes]:
        asked = {
            "amount": said["Amount"],
            "currency": said["InputCurrency"],
            "merchantReference": said["MerchantReference"],
        }
        if said["TxnType"] == "Purchase":
            number = self.cards[said["DpsBillingId"]]
            made = self._transaction({**asked, "cardNumber": number}, "purchase")
        else:
            made = self._follow({**asked, "type": "refund"}, self.transactions[said["DpsTxnRef"]])
        self.by_txn_id[said["TxnId"]] = made["id"]
        return 200, _xml(made).encode()


def _shown(kept: Json) -> Json:
    """Return what is shown of a session or transaction: not the card, nor our own sums."""
    shown = {key: each for key, each in kept.items() if key not in ("moved", "number", "back")}
    if "transactions" in shown:
        shown["transactions"] = [_shown(each) for each in shown["transactions"]]
    return shown


def _xml(found: Json | None) -> str:
    if found is None:
        return "<Txn><ReCo>V9</ReCo><ResponseText>NO SUCH</ResponseText><Success>0</Success></Txn>"
    done = int(found["authorised"])
    unclear = int(found["reCo"] == "U9")
    return (
        f'<Txn><Transaction success="{done}" reco="{found["reCo"]}" responsetext="x">'
        f"<Authorized>{done}</Authorized><Retry>0</Retry>"
        f"<StatusRequired>{unclear}</StatusRequired>"
        f"<MerchantReference>{found['merchantReference']}</MerchantReference>"
        f"<CardName>Visa</CardName><Amount>{found['amount']}</Amount>"
        f"<CurrencyName>{found['currency']}</CurrencyName>"
        f"<DpsTxnRef>{found['id']}</DpsTxnRef></Transaction><ReCo>{found['reCo']}</ReCo>"
        f"<ResponseText>{found['responseText']}</ResponseText><Success>{done}</Success>"
        f"<TxnRef>{found['id']}</TxnRef></Txn>"
    )
