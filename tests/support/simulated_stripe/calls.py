"""The simulated processor: which call does what, and how a repeated one is answered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import parse_qsl

from tests.support.simulated_stripe.state import Json, Refused, invalid
from tests.support.simulated_stripe.storing import Storing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

KEYS_LIVE: Final = timedelta(hours=24)
"""For how long an answer is kept under its key."""

_KINDS: Final = {
    "payment_intents": "payment_intent",
    "setup_intents": "setup_intent",
    "payment_methods": "payment_method",
    "customers": "customer",
    "refunds": "refund",
    "events": "event",
    "sessions": "checkout.session",
    "disputes": "dispute",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, what else the headers say, and the body."""

    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Kept:
    at: datetime
    request: tuple[str, bytes]
    answer: Answer


class SimulatedStripe(Storing):
    """
    One account in test mode at a simulated Stripe.

    Under its idempotency key the first answer is kept for a day, a decline and a fault too;
    what was turned away, or was not right to begin with, is not. `breaks` has what goes wrong
    with the next requests that change something, in order: ``locked`` turns one away and says
    that it may be sent again, ``locked for now`` that it may not; ``lost request`` and ``lost
    answer`` break the connection before and after it is done, ``500`` fails though it was done,
    and that is what is kept; ``fine`` lets one pass.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._kept: dict[str, _Kept] = {}

    def call(self, method: str, path: str, query: str, body: bytes, headers: Json) -> Answer | None:
        """Answer one call; None where the connection breaks."""
        with self._lock:
            if headers.get("authorization") != f"Bearer {self.secret_key}":
                return _said(Refused(401, "invalid_request_error", "", "Invalid API Key provided"))
            if method != "POST":
                return self._done(method, path, nested(query))
            fault = self.breaks.pop(0) if self.breaks else "fine"
            if fault == "lost request":
                return None
            if fault.startswith("locked"):
                told = _said(invalid("lock_timeout", "It is locked.", 429))
                again = "true" if fault == "locked" else "false"
                return Answer(told.status, told.body, {"stripe-should-retry": again})
            answer = self._once(headers.get("idempotency-key", ""), path, body, fault)
            return None if fault == "lost answer" else answer

    def _once(self, key: str, path: str, body: bytes, fault: str) -> Answer:
        kept = self._kept.get(key)
        if kept is not None and kept.at + KEYS_LIVE > self.now():
            if kept.request != (path, body):
                return _said(Refused(400, "idempotency_error", "", "Another request has this key."))
            replayed = {**kept.answer.headers, "idempotent-replayed": "true"}
            return Answer(kept.answer.status, kept.answer.body, replayed)
        self._key = key
        answer = self._done("POST", path, nested(body.decode()))
        self._key = ""
        self.go_on()
        if fault == "500":
            answer = _said(Refused(500, "api_error", "", "Something went wrong."))
        if key and answer.status not in (400, 401, 404, 409, 429):
            self._kept[key] = _Kept(self.now(), (path, body), answer)
        return answer

    def _done(self, method: str, path: str, given: Json) -> Answer:
        self.asked.append((method, path, given))
        try:
            problems = self._problems(method, path, given)
            self.problems += problems
            if problems:
                raise invalid("parameter_unknown", "; ".join(problems))
            told = self._dispatch(method, path.removeprefix("/v1/").split("/"), given)
        except Refused as refused:
            return _said(refused)
        except (KeyError, ValueError) as bug:
            return _said(invalid("parameter_missing", f"{type(bug).__name__}: {bug}"))
        return Answer(200, json.dumps(told).encode(), {})

    def _problems(self, method: str, path: str, given: Json) -> list[str]:
        if self._check is None or method != "POST":
            return []
        parts = path.split("/")
        kinds = {**_KINDS, "payment_intents": "intent", "setup_intents": "intent"}
        kinds["sessions"] = "session"
        described = [
            f"{{{kinds[before]}}}" if before in kinds else part
            for before, part in zip(["", *parts], parts, strict=False)
        ]
        return self._check(method, "/".join(described), given)

    def _dispatch(self, method: str, parts: list[str], given: Json) -> Json:
        if parts == ["balance"]:
            return {"object": "balance", "livemode": False, "available": [{"currency": "usd"}]}
        if parts[0] == "checkout":
            parts = parts[1:]
        kind, id_, act = ([*parts, "", ""])[:3]
        expand = tuple(cast("list[str]", given.get("expand", [])))
        if method == "GET" and not id_:
            return self._list(_KINDS[kind], given, expand)
        made = self._read(kind, id_) if method == "GET" else self._do(kind, id_, act, given)
        return self.shown(made, expand)

    def _read(self, kind: str, id_: str) -> Json:
        self.run_out()
        return self.find(_KINDS[kind], id_)

    def _do(self, kind: str, id_: str, act: str, given: Json) -> Json:
        match kind, act:
            case "payment_intents", "":
                return self.create_intent(given)
            case "payment_intents", "confirm":
                return self.confirm_intent(id_, given)
            case "payment_intents", "capture":
                self.run_out()
                return self.capture_intent(id_, given)
            case "payment_intents", "cancel":
                return self.cancel_intent(id_, given.get("cancellation_reason"))
            case "refunds", "":
                return self.create_refund(given)
            case "customers", "":
                return self.create_customer(given)
            case "setup_intents", "":
                return self.create_setup(given)
            case "setup_intents", "confirm":
                return self.confirm_setup(id_, given)
            case "payment_methods", "detach":
                return self.detach(id_)
            case "sessions", "":
                return self.create_session(given)
            case "sessions", "expire":
                return self.expire_session(id_)
            case _:
                raise invalid("", f"Unrecognized request URL (POST: {kind}/{act}).", 404)

    def _list(self, kind: str, given: Json, expand: tuple[str, ...]) -> Json:
        """Return a page of objects, the newest first."""
        self.run_out()
        found = [each for each in self.all(kind) if _fits(each, given)]
        size = int(given.get("limit", 10))
        ids = [each["id"] for each in found]
        for name in ("starting_after", "ending_before"):
            if name in given and given[name] not in ids:
                raise invalid("resource_missing", f"No such {kind}.", param=name)
        if "ending_before" in given:
            newer = found[: ids.index(given["ending_before"])]
            page, more = newer[-size:], len(newer) > size
        else:
            start = ids.index(given["starting_after"]) + 1 if "starting_after" in given else 0
            page, more = found[start : start + size], len(found) > start + size
        inner = tuple(path.removeprefix("data.") for path in expand)
        told = [self.shown(each, inner) for each in page]
        return {"object": "list", "data": told, "has_more": more, "url": f"/v1/{kind}"}


def _fits(about: Json, given: Json) -> bool:
    created = given.get("created", {})
    if not int(created.get("gte", 0)) <= about["created"] <= int(created.get("lte", 2**40)):
        return False
    if "types" in given and about["type"] not in given["types"]:
        return False
    names = ("customer", "charge", "payment_intent")
    return all(about.get(name) == given[name] for name in names if name in given)


def nested(text: str) -> Json:
    """Read ``a[b]=1``, ``a[0]=x`` and ``a[]=x``, which is how Stripe writes what is inside."""
    root: Json = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        *path, last = name.replace("]", "").split("[")
        inner = root
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last or str(len(inner))] = value
    return cast("Json", _listed(root))


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _listed(one) for name, one in cast("Json", value).items()}
    return list(inner.values()) if inner and all(name.isdigit() for name in inner) else inner


def _said(refused: Refused) -> Answer:
    return Answer(refused.status, json.dumps({"error": refused.error}).encode(), {})
