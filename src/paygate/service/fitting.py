"""Fitting: the rule for each field of the values that a driver returns, as one table.

A rule describes a valid value in words, so that a message can name the wrong field without its
value, which may be a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from paygate.dialogue import Note, Request
from paygate.domain.action import (
    Action,
    ApproveElsewhere,
    PayToAddress,
    PostForm,
    Redirect,
    ScriptStep,
    ShowCode,
    ShowVoucher,
)
from paygate.domain.advice import Advice
from paygate.domain.card_checks import CardCheck, CardChecks, CheckResult
from paygate.domain.chargeback import Dispute, DisputeState
from paygate.domain.currency import SCALES
from paygate.domain.kind import Kind
from paygate.domain.method import MethodFacts, MethodNews, StoredMethod
from paygate.domain.money import AMOUNT_MAX, MINOR_MAX, Money
from paygate.domain.movement import Movement, MovementKind, Sighting
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    DeclineCode,
    Declined,
    Ended,
    Ending,
    Fault,
    NotFound,
    Pending,
    RejectCause,
    Rejected,
    Unknown,
)
from paygate.domain.quoting import Price
from paygate.domain.secret import Secret
from paygate.gateway import AccountFacts, FeedPage, Notice, Question, Reply

if TYPE_CHECKING:
    from collections.abc import Callable


_TEXT_MAX: Final = 20_000
_NAME_MAX: Final = 500
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 2200
"""Days are added to a driver's dates, which would overflow at the ends of the calendar."""

ENDS: Final = frozenset({Approved, Declined, Rejected, Pending, Ended, Unknown})
"""The outcomes that every operation may have."""


class Foreign(Exception):
    """A driver returned a value that the protocol does not know; the message names the field."""


# --- Rules for one field -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rule:
    says: str
    holds: Callable[[Any], bool]


def _storable(value: object, limit: int) -> bool:
    if not isinstance(value, str) or len(value) > limit or "\x00" in value:
        return False
    return value.isascii() or not any("\ud800" <= each <= "\udfff" for each in value)


def _is_texts(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        _storable(name, _TEXT_MAX) and _storable(text, _TEXT_MAX)
        for name, text in cast("Mapping[object, object]", value).items()
    )


def _is_memory(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        _storable(name, _NAME_MAX) and (held is None or type(held) is bytes)
        for name, held in cast("Mapping[object, object]", value).items()
    )


def _is_address(value: object) -> bool:
    if value == "":
        return True
    try:
        return isinstance(value, str) and bool(ip_address(value))
    except ValueError:
        return False


def _is_secret(value: object) -> bool:
    if not isinstance(value, Secret):
        return False
    secret = cast("Secret[str]", value)
    return bool(secret) and _storable(secret.reveal(), _TEXT_MAX)


def _is_money(value: object, low: int) -> bool:
    return (
        type(value) is Money
        and value.currency in SCALES
        and type(value.minor) is int
        and low <= value.minor <= AMOUNT_MAX
    )


def _is_instant(value: object) -> bool:
    if type(value) is not datetime or value.utcoffset() is None:
        return False
    return _FIRST_YEAR <= value.year <= _LAST_YEAR


def _is_date(value: object) -> bool:
    return type(value) is date and _FIRST_YEAR <= value.year <= _LAST_YEAR


def _or_none(rule: _Rule) -> _Rule:
    return _Rule(f"{rule.says}, or None", lambda value: value is None or rule.holds(value))


def _member(enum: type) -> _Rule:
    return _Rule(f"a {enum.__name__}", lambda value: type(value) is enum)


def _number(low: int, high: int) -> _Rule:
    return _Rule(
        f"a whole number from {low} to {high}",
        lambda value: type(value) is int and low <= value <= high,
    )


def _is_whole(value: object, kind: type) -> bool:
    """Return whether *value* is of *kind*; raise `Foreign` for a field that does not fit."""
    if type(value) is not kind:
        return False
    check_fields(value)
    return True


def _all_of(kind: type) -> _Rule:
    def holds(value: object) -> bool:
        if type(value) not in (tuple, list):
            return False
        return all(_is_whole(each, kind) for each in cast("list[object]", value))

    return _Rule(f"a tuple of {kind.__name__}", holds)


_TEXT: Final = _Rule("a text that can be stored", lambda value: _storable(value, _TEXT_MAX))
_NAME: Final = _Rule(
    f"a name of 1 to {_NAME_MAX} characters",
    lambda value: _storable(value, _NAME_MAX) and bool(value.strip()),
)
REFERENCE: Final = _Rule(
    f"a text of at most {_NAME_MAX} characters", lambda value: _storable(value, _NAME_MAX)
)
_ADDRESS: Final = _Rule(
    "an address", lambda value: _storable(value, _TEXT_MAX) and bool(value.strip())
)
_TEXTS: Final = _Rule("a mapping of texts", _is_texts)
_YES_NO: Final = _Rule("True or False", lambda value: type(value) is bool)
_AMOUNT: Final = _Rule("an amount above zero", lambda value: _is_money(value, 1))
_ANY_AMOUNT: Final = _Rule("an amount", lambda value: _is_money(value, -AMOUNT_MAX))
_YEARS: Final = f"from {_FIRST_YEAR} to {_LAST_YEAR}"
_INSTANT: Final = _Rule(f"an instant {_YEARS} with its zone", _is_instant)
_DATE: Final = _Rule(f"a date {_YEARS}", _is_date)
_DAY: Final = _Rule(
    f"a date, or an instant with its zone, {_YEARS}",
    lambda value: _DATE.holds(value) or _INSTANT.holds(value),
)
_BYTES: Final = _Rule("bytes", lambda value: type(value) is bytes)
_SECRET: Final = _Rule("a secret text", _is_secret)
_ACTIONS: Final = get_args(Action)
_ACTION: Final = _Rule(
    "an action",
    lambda value: any(_is_whole(value, kind) for kind in _ACTIONS),
)
_STORED: Final = _Rule("a StoredMethod", lambda value: _is_whole(value, StoredMethod))
_FACTS: Final = _Rule("MethodFacts", lambda value: _is_whole(value, MethodFacts))
_CHECKS: Final = _Rule("CardChecks", lambda value: _is_whole(value, CardChecks))
_SIGHTING: Final = _Rule("a Sighting", lambda value: _is_whole(value, Sighting))
_NEWS: Final = _Rule("a MethodNews", lambda value: _is_whole(value, MethodNews))
_ANSWER: Final = _Rule(
    "an outcome",
    lambda value: any(_is_whole(value, kind) for kind in (*ENDS, ActionRequired, Authorized)),
)
_SECONDS: Final = _Rule(
    "a number above zero", lambda value: type(value) in (int, float) and value > 0
)


# --- The fields of each class ----------------------------------------------------------------

CHECKED: Final[Mapping[type, Mapping[str, _Rule]]] = {
    Approved: {
        "reference": REFERENCE,
        "movements": _all_of(Movement),
        "disputes": _all_of(Dispute),
        "method": _or_none(_STORED),
        "network_transaction_id": REFERENCE,
        "method_facts": _or_none(_FACTS),
        "checks": _or_none(_CHECKS),
        "alert": _TEXT,
    },
    Authorized: {
        "amount": _AMOUNT,
        "reference": REFERENCE,
        "expires_at": _or_none(_INSTANT),
        "method": _or_none(_STORED),
        "network_transaction_id": REFERENCE,
        "method_facts": _or_none(_FACTS),
        "checks": _or_none(_CHECKS),
        "alert": _TEXT,
    },
    Declined: {
        "method_facts": _or_none(_FACTS),
        "checks": _or_none(_CHECKS),
        "advice": _or_none(_member(Advice)),
        "code": _member(DeclineCode),
        "raw_code": _TEXT,
        "retryable": _YES_NO,
        "message": _TEXT,
        "reference": REFERENCE,
        "final": _YES_NO,
        "alert": _TEXT,
        "part": _YES_NO,
    },
    Rejected: {
        "cause": _member(RejectCause),
        "retryable": _YES_NO,
        "raw_code": _TEXT,
        "message": _TEXT,
        "reference": REFERENCE,
        "alert": _TEXT,
    },
    Pending: {
        "reference": REFERENCE,
        "expected_at": _or_none(_INSTANT),
        "amount": _or_none(_AMOUNT),
    },
    ActionRequired: {
        "action": _or_none(_ACTION),
        "reference": REFERENCE,
        "expires_at": _or_none(_INSTANT),
    },
    Ended: {"how": _member(Ending), "reference": REFERENCE},
    Unknown: {
        "reason": _TEXT,
        "reference": REFERENCE,
        "fault": _or_none(_member(Fault)),
        "flagged": _YES_NO,
    },
    NotFound: {},
    Movement: {
        "movement_id": _NAME,
        "amount": _AMOUNT,
        "kind": _member(MovementKind),
        "effective": _or_none(_DAY),
        "settled": _or_none(_ANY_AMOUNT),
        "fee": _or_none(_ANY_AMOUNT),
        "settled_on": _or_none(_DATE),
        "undoes": _or_none(REFERENCE),
        "code": _TEXT,
        "valued": _Rule("None", lambda value: value is None),
    },
    Sighting: {
        "name": _NAME,
        "quantity": _AMOUNT,
        "confirmations": _number(0, 2**31),
        "needed": _number(0, 2**31),
        "replaces": REFERENCE,
        "replaced": _or_none(_AMOUNT),
    },
    Price: {"cost": _AMOUNT, "rate": REFERENCE, "source": REFERENCE},
    Dispute: {
        "reference": _NAME,
        "state": _member(DisputeState),
        "amount": _AMOUNT,
        "reason": _TEXT,
        "respond_by": _or_none(_INSTANT),
    },
    MethodFacts: {
        "brand": _TEXT,
        "last4": _TEXT,
        "expires_month": _or_none(_number(1, 12)),
        "expires_year": _or_none(_number(1970, 9998)),
        "wallet": _TEXT,
    },
    CardChecks: dict.fromkeys(
        ("address", "postal_code", "security_code", "authentication"),
        _Rule("a CardCheck", lambda value: _is_whole(value, CardCheck)),
    ),
    CardCheck: {"result": _member(CheckResult), "raw_code": _TEXT},
    StoredMethod: {
        "token": _SECRET,
        "kind": _member(Kind),
        "brand": _TEXT,
        "last4": _TEXT,
        "expires_month": _or_none(_number(1, 12)),
        "expires_year": _or_none(_number(1970, 9998)),
        "holder": _TEXT,
        "network_transaction_id": REFERENCE,
        "fingerprint": _TEXT,
        "reference": REFERENCE,
        "customer_reference": REFERENCE,
    },
    MethodNews: {
        "reference": _NAME,
        "ended": _YES_NO,
        "reason": _TEXT,
        "facts": _FACTS,
    },
    Redirect: {"url": _ADDRESS, "method": _TEXT, "fields": _TEXTS},
    PostForm: {"url": _ADDRESS, "token_field": _NAME, "token": _SECRET, "fields": _TEXTS},
    ScriptStep: {"script_url": _ADDRESS, "publishable_key": _TEXT, "client_secret": _SECRET},
    ShowCode: {"payload": _ADDRESS, "url": _TEXT, "instructions": _TEXT},
    ApproveElsewhere: {"where": _ADDRESS, "code": _TEXT, "instructions": _TEXT},
    ShowVoucher: {"reference": _TEXT, "url": _TEXT, "barcode": _TEXT, "instructions": _TEXT},
    PayToAddress: {
        "address": _NAME,
        "amount": _AMOUNT,
        "uri": _TEXT,
        "enough": _or_none(_AMOUNT),
        "rate": _TEXT,
        "rate_source": _TEXT,
    },
    Notice: {
        "event_id": _TEXT,
        "type": _TEXT,
        "reference": REFERENCE,
        "our_ref": REFERENCE,
        "earlier_reference": REFERENCE,
        "answer": _or_none(_ANSWER),
        "ready": _YES_NO,
        "movements": _all_of(Movement),
        "disputes": _all_of(Dispute),
        "occurred_at": _or_none(_INSTANT),
        "signed_at": _or_none(_INSTANT),
        "address_index": _or_none(_number(0, 2**31)),
        "sighting": _or_none(_SIGHTING),
        "foreign": _YES_NO,
        "method": _or_none(_NEWS),
        "payer_number": REFERENCE,
        "kind": _or_none(_member(Kind)),
        "unreadable": _TEXT,
        "reserves": _or_none(_AMOUNT),
    },
    Question: {
        "currency": _Rule("a currency", lambda value: isinstance(value, str) and value in SCALES),
        "payer_number": REFERENCE,
        "amount": _or_none(_AMOUNT),
        "events": _Rule(
            "a tuple of texts",
            lambda value: (
                type(value) is tuple
                and all(REFERENCE.holds(each) for each in cast("tuple[object, ...]", value))
            ),
        ),
        "since": _or_none(_INSTANT),
        "until": _or_none(_INSTANT),
        "request": _Rule("anything: the core does not read it", lambda _: True),
    },
    FeedPage: {
        "notices": _all_of(Notice),
        "cursor": _Rule("a text", lambda value: isinstance(value, str)),
        "more": _YES_NO,
        "read": _number(0, MINOR_MAX),
        "behind": _number(0, MINOR_MAX),
        "memory": _Rule("a mapping of names to bytes, or None", _is_memory),
    },
    AccountFacts: {
        "merchant_account": _TEXT,
        "live": _YES_NO,
        "name": _TEXT,
        "currencies": _Rule(
            "a tuple of texts",
            lambda value: (
                type(value) in (tuple, list) and all(isinstance(each, str) for each in value)
            ),
        ),
    },
    Reply: {"status": _number(100, 599), "headers": _TEXTS, "body": _BYTES},
    Request: {
        "method": _NAME,
        "url": _Rule("a text", lambda value: isinstance(value, str)),
        "step": _Rule("a text", lambda value: isinstance(value, str)),
        "headers": _Rule("a mapping", lambda value: isinstance(value, Mapping)),
        "body": _BYTES,
        "moves_money": _YES_NO,
        "repeatable": _YES_NO,
        "retry_header": _Rule("a text", lambda value: isinstance(value, str)),
        "sign_in": _YES_NO,
        "timeout_s": _or_none(_SECONDS),
        "answer_bytes_max": _number(1, MINOR_MAX),
        "address": _Rule("an IP address, or empty", _is_address),
        "public_only": _YES_NO,
    },
    Note: {"reference": REFERENCE},
}
"""The rule for each field, by class."""


def check_fields(value: object) -> None:
    """Raise `Foreign` for the first field of *value* that breaks its rule."""
    for name, rule in CHECKED[type(value)].items():
        check_field(value, name, rule)


def check_field(value: object, name: str, rule: _Rule) -> None:
    """Raise `Foreign` if the field *name* of *value* breaks *rule*."""
    try:
        fits = rule.holds(getattr(value, name, None))
    except Foreign:
        raise
    except Exception as bug:  # noqa: BLE001  (a driver's, in a mapping or a zone of its own)
        kind = type(value).__name__
        raise Foreign(f"{kind}.{name} cannot be read: {type(bug).__name__}") from None
    if not fits:
        raise Foreign(f"{type(value).__name__}.{name} is not {rule.says}")
