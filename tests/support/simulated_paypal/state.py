"""What a simulated account holds, its journal, and how it refuses."""

from __future__ import annotations

import json
import threading
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Json: TypeAlias = dict[str, Any]
Check: TypeAlias = "Callable[[str, str, Any], list[str]]"

HIDDEN: Final = "simulated"
"""The member of an object that only the simulation knows."""


class Refused(Exception):
    """The account does not do what it was asked; *error* is the body that says so."""

    def __init__(self, status: int, name: str, issue: str = "", description: str = ""):
        super().__init__(issue or name)
        self.status = status
        self.error: Json = {
            "name": name,
            "message": "The requested action could not be performed.",
            "debug_id": "b1d1f06c7246c",
        }
        if issue:
            self.error["details"] = [{"issue": issue, "description": description or issue}]


def unprocessable(issue: str) -> Refused:
    """Return the refusal of a request that is well-formed, and not possible now."""
    return Refused(422, "UNPROCESSABLE_ENTITY", issue)


def not_found() -> Refused:
    """Return the refusal of a request about an object that does not exist."""
    return Refused(404, "RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID")


def plain(about: Any) -> Any:
    """Return a value without what only the simulation knows of it."""

    def shown(members: Json) -> Json:
        return {name: each for name, each in members.items() if name != HIDDEN}

    return json.loads(json.dumps(about), object_hook=shown)


class State:
    """
    The objects of one account by kind and id.

    *now* is its clock. *check* finds the problems of a body by the official schema, if it is given:
    ``check(method, path, body)``; what it found is in `problems`. Each webhook waits in `webhooks`,
    as headers and body, signed by *sign*. Every object that was made or changed is appended to the
    *journal*, and read from it when a simulation starts again. `breaks` are what goes wrong with
    the next requests that change something, in order.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        check: Check | None = None,
        sign: Callable[[bytes], str] | None = None,
        certificate: bytes = b"",
        journal: Path | None = None,
    ) -> None:
        self.now, self.check, self.sign = now, check, sign
        self.certificate = certificate
        self.client_id, self.client_secret = "simulated-client", "simulated-secret"
        self.merchant_id, self.webhook_id = "7E7MGXCWTTKK2", "1JE4291016473214C"
        self.url = ""
        self.objects: dict[str, dict[str, Json]] = {}
        self.webhooks: list[tuple[dict[str, str], bytes]] = []
        self.breaks: list[str] = []
        self.problems: list[str] = []
        self.asked: list[tuple[str, str, Any]] = []
        self.not_held: set[str] = set()
        self.vault_enabled = True
        self.lock = threading.RLock()
        self._count = 0
        self._journal = journal
        if journal is not None and journal.exists():
            self._reload(journal)

    # --- Objects ---------------------------------------------------------------------------------

    def new(self, kind: str, **facts: Any) -> Json:
        """Make an object of a kind."""
        self._count += 1
        made: Json = {"id": f"{kind[:3].upper()}{self._count:014d}", **facts}
        made.setdefault("create_time", self.time())
        made.setdefault("update_time", self.time())
        return self.put(kind, made)

    def put(self, kind: str, about: Json) -> Json:
        """Keep an object as it is now."""
        self.objects.setdefault(kind, {})[about["id"]] = about
        if self._journal is not None:
            with self._journal.open("a") as file:
                file.write(json.dumps([kind, about]) + "\n")
        return about

    def changed(self, kind: str, about: Json, **facts: Any) -> Json:
        """Change an object."""
        about.update(facts, update_time=self.time())
        return self.put(kind, about)

    def find(self, kind: str, id_: str) -> Json:
        """Return an object, or raise `Refused`."""
        found = self.objects.get(kind, {}).get(id_)
        if found is None:
            raise not_found()
        return found

    def all(self, kind: str) -> list[Json]:
        """Return the objects of a kind, the oldest first."""
        return list(self.objects.get(kind, {}).values())

    def _reload(self, journal: Path) -> None:
        for line in journal.read_text().splitlines():
            kind, about = json.loads(line)
            self.objects.setdefault(kind, {})[about["id"]] = about
            self._count += 1

    def time(self, later: timedelta = timedelta()) -> str:
        """Return the time as PayPal writes it."""
        return f"{(self.now() + later).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"

    # --- Events ----------------------------------------------------------------------------------

    def tell(self, type_: str, about: Json, kind: str) -> None:
        """Keep an event about an object as it is now, and let a webhook of it wait."""
        event = self.new(
            "WH-event",
            event_version="1.0",
            resource_type=kind,
            event_type=type_,
            resource=deepcopy(plain(about)),
        )
        body = json.dumps(plain(event)).encode()
        self.webhooks.append((self.signed(body), body))

    def signed(self, body: bytes) -> dict[str, str]:
        """Return the headers of a webhook with *body*."""
        import zlib

        self._count += 1
        name, time = f"69cd13f0-{self._count:04d}-11e5-baa3-778b53f4ae55", self.time()
        text = f"{name}|{time}|{self.webhook_id}|{zlib.crc32(body)}".encode()
        signature = self.sign(text) if self.sign is not None else f"sig{zlib.crc32(text)}"
        self.put("transmission", {"id": name, "sig": signature, "crc": zlib.crc32(body)})
        return {
            "paypal-auth-algo": "SHA256withRSA",
            "paypal-cert-url": "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-sim",
            "paypal-transmission-id": name,
            "paypal-transmission-sig": signature,
            "paypal-transmission-time": time,
        }
