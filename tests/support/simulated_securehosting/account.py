"""The account: transactions by XML and on the page, and the callbacks that they cause."""

from __future__ import annotations

import hashlib
import threading
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

Json = dict[str, Any]

GOOD: Final = "4242424242424242"
BAD: Final = "5434849999999993"
"""Test cards that public documents name; that the second is declined is ours."""


@dataclass
class SimulatedSecureHosting:
    """
    One account on the test host.

    `breaks` has what goes wrong with the next XML requests: ``lost request`` and ``lost answer``
    break the connection before and after it is done, ``html`` answers with the page of a proxy.
    `callbacks` are those that wait to be sent, as query strings, and `journal` has each request.
    """

    shreference: str = "SH210001"
    checkcode: str = "771122"
    password: str = "account-password"
    secret: str = "shared-secret"
    phrase: str = "seal-phrase"
    url: str = "http://127.0.0.1"
    breaks: list[str] = field(default_factory=list[str])
    journal: list[str] = field(default_factory=list[str])
    callbacks: list[str] = field(default_factory=list[str])
    transactions: dict[str, Json] = field(default_factory=dict[str, Json])
    lock: threading.RLock = field(default_factory=threading.RLock)

    def received(self) -> Decimal:
        """What this account received, less what it sent back."""
        return sum(
            (each["amount"] - each["back"] for each in self.transactions.values()), Decimal(0)
        )

    # --- XML ----------------------------------------------------------------------------

    def post(self, document: str) -> bytes | None:
        """Answer one document; None if the connection breaks."""
        with self.lock:
            fault = self.breaks.pop(0) if self.breaks else ""
            root = ET.fromstring(document)  # noqa: S314
            self.journal.append(root.findtext("type", ""))
            if fault == "lost request":
                return None
            if fault == "html":
                return b"<html><body>Bad gateway</body></html>"
            answer = self._answer(root)
            return None if fault == "lost answer" else answer.encode()

    def _answer(self, root: ET.Element) -> str:
        said = {each.tag: each.text or "" for each in root.iter()}
        proof = said.get("password") == self.password
        if root.findtext("type") != "refund":
            proof = said.get("checkcode") == self.checkcode
        if said.get("shreference") != self.shreference or not proof:
            return _failed("INVALID_LOGIN")
        match said["type"]:
            case "transaction":
                return self._charge(said, said["cardnumber"])
            case "additional":
                first = self.transactions.get(said["reference"])
                return self._charge(said, first["card"]) if first else _failed("DATA_ERROR")
            case "refund":
                return self._refund(said)
            case _:
                return _failed("BAD_XML_PASSED")

    def _charge(self, said: Json, card: str) -> str:
        number = self._take(Decimal(said["transactionamount"]), card)
        self._call(said.get("callbackdata", ""), number, "CARD DECLINED")
        if number == "-1":
            return _failed("TRANSACTION_ERROR", "CARD DECLINED")
        return f"<result><status>OK</status><reference>{number}</reference></result>"

    def _refund(self, said: Json) -> str:
        paid, amount = self.transactions.get(said["reference"]), Decimal(said["amount"])
        if paid is None or paid["back"] + amount > paid["amount"]:
            return _failed("DATA_ERROR")
        paid["back"] += amount
        return "<result><status>OK</status></result>"

    def _take(self, amount: Decimal, card: str) -> str:
        if card != GOOD:
            return "-1"
        number = str(len(self.transactions) + 1234567)
        self.transactions[number] = {"amount": amount, "card": card, "back": Decimal(0)}
        return number

    def _call(self, data: str, number: str, reason: str) -> None:
        if not data:
            return
        parts = data.split("|")
        said = dict(zip(parts[::2], parts[1::2], strict=True))
        proof = hashlib.sha1(f"{self.secret}{number}{self.secret}".encode()).hexdigest()  # noqa: S324
        result = {"failurereason": reason} if number == "-1" else {"upgauthcode": "014626"}
        self.callbacks.append(
            urlencode({**said, "transactionnumber": number, **result, "verify": proof})
        )

    # --- The page -----------------------------------------------------------------------

    def pay(self, form: Json, card: str = GOOD) -> str:
        """Let the payer post the form and enter a card; return the number, or why not."""
        with self.lock:
            sealed = f"{form['secuitems']}{form['transactionamount']}{self.phrase}"
            if form["secuString"] != hashlib.md5(sealed.encode()).hexdigest():  # noqa: S324
                return "the seal is wrong"
            number = self._take(Decimal(form["transactionamount"]), card)
            self._call(form["callbackdata"], number, "CARD DECLINED")
            return number


def _failed(word: str, reason: str = "") -> str:
    why = f"<reason>{reason}</reason>" if reason else ""
    return f"<result><status>FAILED</status><statustext>{word}</statustext>{why}</result>"
