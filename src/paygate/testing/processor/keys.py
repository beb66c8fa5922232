"""Repetitions: what the fake processor does with a request that it has seen before."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paygate.dialogue import Response
from paygate.domain.outcome import DeclineCode, RejectCause
from paygate.gateway import DedupWindow, Keyed
from paygate.testing.processor.checks import ProcessorRefusal
from paygate.testing.processor.magic import DECLINES
from paygate.testing.processor.truth import StoredAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from paygate.gateway import Idempotency, Traits
    from paygate.testing.processor.truth import Truth

JSON_HEADERS = {"content-type": "application/json"}
_to_json = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Call:
    """One operation as received."""

    operation: str
    body: Mapping[str, Any]
    key: str
    raw: bytes

    @property
    def fingerprint(self) -> str:
        """The digest of the request, so that one key cannot stand for two requests."""
        return hashlib.sha256(self.operation.encode() + b"\n" + self.raw).hexdigest()

    @property
    def look(self) -> str:
        """The digest of the fields that a duplicate window compares."""
        names = ("kind", "currency", "minor", "method", "invoices", "about", "movement")
        seen = [self.operation, *(self.body.get(name) for name in names)]
        return f"look-{hashlib.sha256(json.dumps(seen).encode()).hexdigest()}"


class Keys:
    """The processor's rule for repetitions, as its traits declare it."""

    def __init__(self, truth: Truth, traits: Traits) -> None:
        self._truth = truth
        self._traits = traits

    def _rule_for(self, call: Call) -> Idempotency:
        own = {str(each): rule for each, rule in self._traits.idempotency_of.items()}
        return own.get(call.operation, self._traits.idempotency)

    def replays_errors(self, call: Call) -> bool:
        """Return whether a server error is stored under its key like any other response."""
        rule = self._rule_for(call)
        return isinstance(rule, Keyed) and rule.replays_errors

    def known(self, call: Call, now: datetime) -> Response | None:
        """Return the response that a repetition gets, or None if this is not a repetition."""
        rule = self._rule_for(call)
        if isinstance(rule, Keyed):
            stored = self._truth.answers.get(call.key)
            if stored is None or now >= stored.at + rule.ttl:
                return None
            if stored.fingerprint != call.fingerprint:
                text = "the key was already used with another request"
                return refuse(ProcessorRefusal(RejectCause.KEY_MISMATCH, text))
            return _again(stored)
        if isinstance(rule, DedupWindow):
            stored = self._truth.answers.get(call.look)
            if stored is None or now >= stored.at + rule.window:
                return None
            if rule.returns_original:
                return _again(stored)
            raw_code, retryable = DECLINES[DeclineCode.DUPLICATE]
            code = DeclineCode.DUPLICATE
            decline = {"code": code, "raw_code": raw_code, "retryable": retryable}
            return answer(200, {"state": "declined", "decline": decline})
        return None

    def keep(self, call: Call, response: Response, now: datetime) -> None:
        """Store the response for a repetition, if the rule says so."""
        rule = self._rule_for(call)
        if isinstance(rule, Keyed):
            if call.key and (response.status < 400 or rule.replays_errors):
                stored = StoredAnswer(call.fingerprint, now, response.status, response.body)
                self._truth.keep_answer(call.key, stored)
        elif isinstance(rule, DedupWindow) and _went_through(response):
            self._truth.keep_answer(call.look, StoredAnswer("", now, 200, response.body))


def answer(status: int, shown: Mapping[str, Any]) -> Response:
    """Return a response of the processor."""
    return Response(status=status, headers=JSON_HEADERS, body=_to_json(shown).encode())


def refuse(refusal: ProcessorRefusal, status: int = 422) -> Response:
    """Return the response to a refused request."""
    return answer(status, {"error": refusal.shown})


def _went_through(response: Response) -> bool:
    """Return whether a second request would be a duplicate, which it is not after a decline."""
    return response.status == 200 and json.loads(response.body)["state"] != "declined"


def _again(stored: StoredAnswer) -> Response:
    return Response(status=stored.status, headers=JSON_HEADERS, body=stored.body)
