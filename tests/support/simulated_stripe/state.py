"""What a simulated account holds, what it tells of it, and how it refuses."""

from __future__ import annotations

import hmac
import json
import threading
from copy import deepcopy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

Json: TypeAlias = dict[str, Any]
Check: TypeAlias = "Callable[[str, str, Json], list[str]]"

API_VERSION: Final = "2026-06-24.dahlia"


class Refused(Exception):
    """The account does not do what it was asked; *error* is the body that says so."""

    def __init__(self, status: int, type_: str, code: str = "", message: str = "", **more: Any):
        super().__init__(code or type_)
        self.status = status
        facts = {"type": type_, "code": code, "message": message, **more}
        self.error: Json = {name: fact for name, fact in facts.items() if fact}


def plain(about: Json) -> Json:
    """Return an object without what only the simulation knows of it."""
    return {name: fact for name, fact in about.items() if name != "simulated"}


def invalid(code: str, message: str = "", status: int = 400, **more: Any) -> Refused:
    """Return the refusal of a request that is not right."""
    return Refused(status, "invalid_request_error", code, message, **more)


class State:
    """
    The objects of one account by kind and id, the oldest first.

    *now* is its clock. *check* finds the problems of a request that changes something in
    their own schema, where it is given: ``check(method, path, parameters)``; what it found
    is in `problems`. Each webhook waits in `webhooks`, as headers and body, signed with
    `signing_secret`. `breaks` are what goes wrong with the next requests that change
    something, in order. What the account does by itself waits in `afterwards`, until the
    answer to the request that caused it is written.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        check: Check | None = None,
    ) -> None:
        self.now = now
        self.secret_key = "sk_test_simulated"
        self.publishable_key = "pk_test_simulated"
        self.signing_secret = "whsec_simulated"
        self.url = ""
        self.objects: dict[str, dict[str, Json]] = {}
        self.webhooks: list[tuple[dict[str, str], bytes]] = []
        self.breaks: list[str] = []
        self.afterwards: list[Callable[[], object]] = []
        self.problems: list[str] = []
        self.asked: list[tuple[str, str, Json]] = []
        self._check = check
        self._lock = threading.RLock()
        self._count = 0
        self._key = ""

    # --- Objects ---------------------------------------------------------------------------------

    def new(self, kind: str, prefix: str, **facts: Any) -> Json:
        """Make an object of a kind."""
        self._count += 1
        made: Json = {
            "id": f"{prefix}_sim{self._count:06d}",
            "object": kind,
            "created": self.seconds(),
            "livemode": False,
            **facts,
        }
        self.objects.setdefault(kind, {})[made["id"]] = made
        return made

    def all(self, kind: str) -> list[Json]:
        """Return the objects of a kind, the newest first."""
        return list(self.objects.get(kind, {}).values())[::-1]

    def find(self, kind: str, id_: str, param: str = "id") -> Json:
        """Return an object, or raise `Refused`."""
        found = self.objects.get(kind, {}).get(id_)
        if found is None:
            status = 404 if param == "id" else 400
            raise invalid("resource_missing", f"No such {kind}: '{id_}'", status, param=param)
        return found

    def seconds(self) -> int:
        """Return the time as Stripe writes it."""
        return int(self.now().timestamp())

    def go_on(self) -> None:
        """Do what the account does by itself after what it was asked to do."""
        with self._lock:
            while self.afterwards:
                self.afterwards.pop(0)()

    # --- Events ----------------------------------------------------------------------------------

    def tell(self, type_: str, about: Json, **before: Any) -> None:
        """Keep an event about an object as it is now, and let a webhook of it wait."""
        data: Json = {"object": deepcopy(plain(about))}
        if before:
            data["previous_attributes"] = before
        event = self.new(
            "event",
            "evt",
            api_version=API_VERSION,
            type=type_,
            data=data,
            pending_webhooks=1,
            request={"id": None, "idempotency_key": self._key or None},
        )
        body = json.dumps(event).encode()
        stamp = str(self.seconds())
        mac = hmac.digest(self.signing_secret.encode(), stamp.encode() + b"." + body, "sha256")
        self.webhooks.append(({"stripe-signature": f"t={stamp},v1={mac.hex()}"}, body))
