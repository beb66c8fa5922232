"""What all parts of the simulated processor share: its memory, its clock, its announcements."""

from __future__ import annotations

import hmac
import json
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tests.support.simulated_authorize_net.records import Instrument
from tests.support.simulated_authorize_net.speech import part, write_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.simulated_authorize_net.records import (
        Batch,
        Form,
        Profile,
        Told,
        Transaction,
    )


class State:
    """The memory of one merchant's account."""

    def __init__(
        self,
        *,
        login: str = "simulated",
        transaction_key: str = "0123456789abcdef",
        signature_key: str = "5A" * 64,
        currency: str = "USD",
        schema: Path | None = None,
        journal: Path | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self.login = login
        self.transaction_key = transaction_key
        self.signature_key = signature_key
        self.currency = currency
        self.transactions: dict[str, Transaction] = {}
        self.profiles: dict[str, Profile] = {}
        self.batches: dict[str, Batch] = {}
        self.forms: dict[str, Form] = {}
        self.asked: list[tuple[str, bytes]] = []
        self.answered: list[bytes] = []
        self.webhooks: list[tuple[dict[str, str], bytes]] = []
        self.hold_next = False
        self.refund_days = 120
        self.test_mode = False
        self.declines: set[str] = set()
        """The last four digits of cards that are declined."""
        self.breaks: list[str] = []
        self._now = now or _system_now
        self._tokens: dict[str, Instrument] = {}
        self._codes: dict[str, str] = {}
        self._splits: dict[str, str] = {}
        self._numbers = 60_000_000_000
        self._journal = journal
        self._schema = None if schema is None else _schema(schema)
        self._lock = threading.RLock()

    def now(self) -> datetime:
        """Tell its time."""
        return self._now()

    def _instrument(self, request: Told) -> tuple[Instrument, str, tuple[str, str]] | str:
        """Find out what pays; a code where nothing does."""
        nowhere = "", ""
        if "profile" in request:
            ids = request["profile"]
            profile = self.profiles.get(ids.get("customerProfileId", ""))
            method = part(ids, "paymentProfile").get("paymentProfileId", "")
            if profile is None or method not in profile.methods:
                return "E00040"
            return profile.methods[method].instrument, "", (profile.id, method)
        payment: Told = part(request, "payment")
        if "opaqueData" in payment:
            token = payment["opaqueData"]["dataValue"]
            instrument = self._tokens.pop(token, None)  # for one use
            return "E00114" if instrument is None else (instrument, self._codes[token], nowhere)
        instrument = Instrument.read(payment)
        if instrument is None:
            return "E00013"
        return instrument, part(payment, "creditCard").get("cardCode", ""), nowhere

    def _announce(self, event: str, one: Transaction) -> None:
        payload: Told = {
            "responseCode": int(one.code),
            "avsResponse": one.avs,
            "authAmount": one.settles,
            "entityName": "transaction",
            "id": one.id,
        }
        if one.our_reference:
            payload["merchantReferenceId"] = one.our_reference
        if one.order:
            payload["invoiceNumber"] = one.order
        told = {
            "notificationId": str(UUID(int=int(self._number()))),
            "eventType": f"net.authorize.payment.{event}",
            "eventDate": f"{self.now().astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}7Z",
            "webhookId": "849eb87e-078a-4169-a34b-c0bded5019a8",
            "payload": payload,
        }
        body = write_json(told).encode()
        mac = hmac.new(self.signature_key.encode(), body, "sha512").hexdigest().upper()
        self.webhooks.append(({"x-anet-signature": f"sha512={mac}"}, body))

    def _number(self) -> str:
        self._numbers += 1
        return str(self._numbers)

    def _write(self, name: str, answer: Told) -> None:
        if self._journal is None:
            return
        line = {"at": self.now().isoformat(), "call": name, "answer": answer}
        with self._journal.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, default=str) + "\n")


def _system_now() -> datetime:
    return datetime.now(UTC)


def _schema(path: Path) -> Callable[[bytes], list[str]]:
    """Load their schema; a part of the tests, so that lxml is needed only there."""
    import importlib

    etree: Any = importlib.import_module("lxml.etree")
    schema: Any = etree.XMLSchema(etree.parse(str(path)))

    def check(document: bytes) -> list[str]:
        schema.validate(etree.fromstring(document))
        return [str(each.message) for each in schema.error_log]

    return check
