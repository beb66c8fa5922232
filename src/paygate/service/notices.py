"""Notices and replies as text, for the inbox.

A notice is stored as it was read after its signature was verified. So it can be applied even if the
signing secret has been rotated since, and notices of a feed are stored in the same way. The text
contains no token and no secret of an action.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from paygate.domain import movement, outcome
from paygate.domain.action import Action
from paygate.domain.advice import Advice
from paygate.domain.card_checks import CardCheck, CardChecks, CheckResult
from paygate.domain.chargeback import Dispute, DisputeState
from paygate.domain.kind import Kind
from paygate.domain.method import MethodFacts, MethodNews, StoredMethod
from paygate.domain.money import Money
from paygate.domain.secret import Secret
from paygate.gateway import Notice, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

_CLASS: Final = "$"
"""The key of a value's class; no field has this name."""

_CLASSES: Final[dict[str, Callable[..., Any]]] = {
    each.__name__: each
    for each in (
        *(outcome.Approved, outcome.Authorized, outcome.Declined, outcome.Rejected),
        *(outcome.Pending, outcome.ActionRequired, outcome.Ended, outcome.Unknown),
        *get_args(Action),
        *(movement.MovementKind, outcome.DeclineCode, outcome.RejectCause, outcome.Ending),
        outcome.Fault,
        *(movement.Movement, movement.Sighting, Money, Notice, Dispute, DisputeState),
        *(Advice, Kind, MethodFacts, MethodNews, CardChecks, CardCheck, CheckResult),
    )
}


def write_notice(notice: Notice) -> str:
    """Return *notice* as text, without the token of a method in it."""
    return json.dumps(_plain(notice))


def read_notice(text: str) -> Notice:
    """Return the notice that `write_notice` wrote."""
    return cast("Notice", _value(json.loads(text)))


def digest(text: str) -> str:
    """Return an id for a fact that the processor gave no id."""
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of(notice: Notice) -> str:
    """
    Return a digest of the contents of *notice*; a repetition has the same digest.

    The time of signing is not included, because a repetition may be signed again.
    """
    return digest(json.dumps(_said(_plain(replace(notice, event_id="", signed_at=None)))))


def digest_of_names(notice: Notice) -> str:
    """Return a digest of the references in *notice*, whatever its other contents."""
    names = (
        notice.our_ref,
        notice.reference,
        notice.earlier_reference,
        notice.address_index,
        notice.ready,
    )
    return digest(json.dumps(names))


def _said(plain: Any) -> Any:
    """Return *plain* without empty fields, so that a new field changes no digest."""
    if type(plain) in (tuple, list):
        return list(map(_said, plain))
    if not isinstance(plain, dict):
        return plain
    facts = cast("dict[str, Any]", plain)
    return {key: _said(each) for key, each in facts.items() if each not in (None, "", False, [])}


def write_reply(reply: Reply) -> str:
    """Return *reply* as text."""
    body = base64.b64encode(reply.body).decode()
    return json.dumps({"status": reply.status, "headers": dict(reply.headers), "body": body})


def read_reply(text: str) -> Reply:
    """Return the reply that `write_reply` wrote, byte for byte."""
    facts: dict[str, Any] = json.loads(text)
    return Reply(
        status=facts["status"], headers=facts["headers"], body=base64.b64decode(facts["body"])
    )


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int():
            return value
        case StoredMethod() | Secret():
            return None
        case Enum():
            return {_CLASS: type(value).__name__, "value": value.value}
        case str():
            return value
        case datetime():
            return {_CLASS: "datetime", "value": value.isoformat()}
        case date():
            return {_CLASS: "date", "value": value.isoformat()}
        case _ if type(value) in (tuple, list):
            return list(map(_plain, value))
        case Mapping():
            texts = cast("Mapping[str, Any]", value)
            return {_CLASS: "map", "value": {key: _plain(each) for key, each in texts.items()}}
        case _ if is_dataclass(value) and type(value).__name__ in _CLASSES:
            facts = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
            return {_CLASS: type(value).__name__, **facts}
        case _:
            raise TypeError(f"a notice cannot contain a {type(value).__name__}")


def _value(plain: Any) -> Any:
    if type(plain) in (tuple, list):
        return tuple(map(_value, plain))
    if not isinstance(plain, dict):
        return plain
    facts = dict(cast("dict[str, Any]", plain))
    match facts.pop(_CLASS):
        case "datetime":
            return datetime.fromisoformat(facts["value"])
        case "date":
            return date.fromisoformat(facts["value"])
        case "map":
            return {key: _value(each) for key, each in facts["value"].items()}
        case name if "value" in facts:
            return _CLASSES[name](facts["value"])
        case name:
            return _CLASSES[name](**{key: _value(each) for key, each in facts.items()})
