"""The catalogue of events: the fields of each type, from which its JSON Schema is made.

A consumer may rely on what stands here. A new field may be added at any time; a field that is
removed, or changes its meaning, increases `SCHEMA_VERSION`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, assert_never, cast

from paygate.domain.event import EVENT_TYPES, SCHEMA_VERSION

_MINOR: Final = "_minor"


class Shape(StrEnum):
    """What a field of an event holds."""

    TEXT = "text"
    """A text; it may be empty."""
    TEXT_OR_NULL = "text or null"
    """A text, or null."""
    WHOLE = "whole number"
    """A whole number."""
    LIST = "list of texts"
    """A list of texts."""
    RESULTS = "texts by name"
    """An object whose values are texts."""
    OBJECT = "object"
    """An object with what the host stored."""


@dataclass(frozen=True, slots=True)
class EventField:
    """A field of an event; with *always* every event of the type has it."""

    name: str
    shape: Shape
    meaning: str
    example: Any
    always: bool = True


def _text(name: str, meaning: str, example: str) -> EventField:
    return EventField(name, Shape.TEXT, meaning, example)


def _whole(name: str, meaning: str, example: int) -> EventField:
    return EventField(name, Shape.WHOLE, meaning, example)


def _sometimes(*fields: EventField) -> tuple[EventField, ...]:
    return tuple(replace(each, always=False) for each in fields)


# --- Fields that many types have ----------------------------------------------

_CUSTOMER: Final = _text("customer", "The host's id of the customer.", "C-1")
_PAYER: Final = _text("customer", "The host's id of the customer; empty if unknown.", "C-1")
_PAYMENT: Final = _text("payment", "The id of the payment.", "pay_0661842f8a26b1435d30")
_ACCOUNT: Final = _text("account", "The gateway account; recorded money has none.", "card")
_AMOUNT: Final = _whole("amount_minor", "The amount of the event, in minor units.", 3000)
_CURRENCY: Final = _text("currency", "The currency of the amounts, as ISO 4217.", "USD")
_SINK: Final = _text("sink", "The name of the sink.", "crm")
_REASON: Final = _text("reason", "Why, in words for people.", "insufficient funds")
_WHY: Final = _text("why", "The reason that the clerk gave.", "the bank's letter of 3 May")
_ATTEMPT: Final = _text("attempt", "The id of the attempt.", "att_0661842fb8c7c374a3df")
_OPERATION: Final = _text("operation", "What the attempt does, such as refund.", "charge")
_KEY: Final = _text("assignment_key", "The key that joins prepayment and invoice.", "ORDER-7")
_CODE: Final = _text("code", "The code of the result; may be empty.", "insufficient_funds")
_RAW_CODE: Final = _text("raw_code", "The processor's own code.", "51")
_MOVEMENTS: Final = EventField(
    "movements", Shape.LIST, "The ids of the money that it moved.", ["ch_1"], always=False
)
_MOVEMENT: Final = (
    _text("movement_id", "The processor's id of the money that moved.", "ch_1"),
    *_sometimes(_text("undoes", "The id of the movement that this one undoes.", "ch_0")),
)
_DISPUTE: Final = _text("dispute", "The processor's reference of the dispute.", "dp_1")
_REFERENCE: Final = _text("reference", "The reference on the document.", "1077")
_SEEN: Final = _whole("seen_minor", "What was seen on its way, in minor units.", 3000)
_OF_RESULT: Final = (_MOVEMENTS, replace(_SEEN, always=False))
_PAYER_NUMBER: Final = _text("payer_number", "The number for which the money came.", "VA-100")

_OF_INVOICE: Final = (
    _text("invoice", "The id of the invoice.", "inv_0661842f88b1f1e50c1d"),
    _text("number", "The number of the invoice.", "INV-7"),
    _CUSTOMER,
    _CURRENCY,
    _whole("total_minor", "The total, in minor units.", 3000),
    _whole("open_minor", "What is still open after the event.", 3000),
    _text("due", "The due date.", "2026-12-01"),
    *_sometimes(_KEY),
)
_OF_PREPAYMENT: Final = (
    _text("prepayment", "The id of the prepayment.", "pre_0661842f88b1f1e50c1d"),
    _CUSTOMER,
    _KEY,
    _text("status", "The status of the prepayment after the event.", "open"),
    _CURRENCY,
    _whole("total_minor", "Its amount, in minor units.", 3000),
    _whole("paid_minor", "What was paid on it, in minor units.", 0),
    _whole("assigned_minor", "What of that moved to invoices.", 0),
    _whole("open_minor", "What is still to be paid, in minor units.", 3000),
    EventField("replaced_by", Shape.TEXT_OR_NULL, "The invoice that took its place.", None),
    EventField("data", Shape.OBJECT, "What the host stored with it.", {"order": "4711"}),
)
_LINK: Final = _text("link", "The id of the payment link.", "lnk_0661842f88b1f1e50c1d")
_OF_LINK: Final = (
    _LINK,
    _CUSTOMER,
    _text("for", "What it is for: invoices, prepayment or balance.", "invoices"),
    EventField("items", Shape.LIST, "The numbers of invoices, or an assignment key.", ["INV-7"]),
    _text("status", "The status of the link after the event.", "active"),
    _CURRENCY,
    _whole("open_minor", "What is open on it, in minor units.", 3000),
    EventField("payment", Shape.TEXT_OR_NULL, "The last payment that it brought.", None),
    EventField("expires_at", Shape.TEXT_OR_NULL, "Until when it can be paid.", None),
    EventField("metadata", Shape.RESULTS, "What the host stored with it.", {"campaign": "7"}),
)
_OF_PAYMENT: Final = (
    _PAYMENT,
    _text("short_reference", "Eight characters by which the payer names it.", "7KQ2M4TD"),
    _PAYER,
    _ACCOUNT,
    _text("kind", "The kind of payment, such as card.", "card"),
    _text("status", "The status of the payment after the event.", "succeeded"),
    _AMOUNT,
    _CURRENCY,
    _whole("requested_minor", "What was requested, in minor units.", 3000),
    _whole("received_minor", "What was received in all, after the event.", 3000),
    _whole("returned_minor", "What went back in all, after the event.", 0),
    *_sometimes(
        _LINK,
        _ATTEMPT,
        _OPERATION,
        EventField(
            "checks", Shape.RESULTS, "The results of the card checks.", {"postal_code": "matched"}
        ),
        _CODE,
        _RAW_CODE,
        _REASON,
    ),
)
_OF_METHOD: Final = (
    _text("method", "The id of the stored method.", "met_06618431491c210003a1"),
    _CUSTOMER,
    _text("account", "The gateway account that keeps it.", "card"),
    _text("kind", "The kind of payment, such as card.", "card"),
)
_OF_STORED_METHOD: Final = (
    *_OF_METHOD,
    _text("brand", "Its brand or bank; may be empty.", "visa"),
    _text("last4", "Its last four digits; may be empty.", "4242"),
    EventField("expires", Shape.TEXT_OR_NULL, "The last day on which it is valid.", "2029-12-31"),
    *_sometimes(_REASON),
)
_OF_METHOD_REQUEST: Final = (*_OF_METHOD, *_sometimes(_CODE, _REASON))
_OF_CALLBACK: Final = (
    _whole("callback", "The number of the callback.", 4),
    _text("account", "The gateway account.", "card"),
    _text("event_id", "The processor's id of what it reports.", "evt_3"),
    _text("type", "The processor's type of it.", "charge.succeeded"),
    _REASON,
)
_OF_ACCOUNT: Final = (_text("account", "The gateway account.", "card"),)
_OF_CREDIT: Final = (
    _CUSTOMER,
    _AMOUNT,
    _CURRENCY,
)
_CREDIT: Final = _text("credit", "The id of the credit.", "crd_0661842f9478c1d2c4be")
_OF_RECEIPT: Final = (
    _PAYMENT,
    _PAYER,
    _ACCOUNT,
    _text("receipt", "The id of the receipt.", "rcp_0661842f88f06b55bd9c"),
    _text("kind", "The kind of movement: charge, refund, return …", "charge"),
)
_OF_PAYER_NUMBER: Final = (
    _CUSTOMER,
    _text("account", "The gateway account to which it belongs.", "bank"),
    _text("number", "The number that the payer pays to.", "VA-100"),
    _text("pays", "What its money pays: oldest_due or balance.", "oldest_due"),
)
_BANK_ACCOUNT: Final = _text("account", "The bank account of the merchant.", "main")
_OF_STATEMENT: Final = (
    _BANK_ACCOUNT,
    _text("statement", "The id of the statement.", "stm_0661842f88b1f1e50c1d"),
    _text("format", "Its format.", "camt.053"),
    _text("name", "The bank's id, number and page of it.", "STM-94/94"),
    _text("on", "Its day.", "2026-05-18"),
    _CURRENCY,
)
_OF_BANK_LINE: Final = (
    _text("line", "The id of the line.", "bln_0661842f88b1f1e50c1d"),
    _BANK_ACCOUNT,
    _text("booked", "The day on which the bank booked it.", "2026-05-18"),
    _whole("amount_minor", "The amount; negative for money that went out.", -10000),
    _CURRENCY,
)
_OF_SUBSCRIPTION: Final = (
    _text("subscription", "The id of the subscription.", "sub_0661842f88b1f1e50c1d"),
    _CUSTOMER,
    _text("mandate", "The id of the mandate that began it.", "man_0661842f88b1f1e50c1d"),
    *_sometimes(
        _text("method", "The method that the payer agreed to.", "met_06618431491c210003a1"),
        _text("scope", "What the payer agreed to.", "future"),
        _REASON,
    ),
)
_OF_TRY: Final = (
    _CUSTOMER,
    EventField("invoices", Shape.LIST, "The numbers of the invoices.", ["INV-7"]),
    _AMOUNT,
    _CURRENCY,
)
_OF_FAILED_TRY: Final = (
    *_OF_TRY,
    _PAYMENT,
    _CODE,
    _RAW_CODE,
    _text("class", "The class of the failure, which decides what follows.", "soft"),
)

_OF_DEBT: Final = (
    _text("number", "The number of the oldest overdue invoice.", "INV-7"),
    _text("due", "Its due date.", "2026-12-01"),
    _whole("days", "How many days have passed since then.", 21),
    _text("stage", "The stage of the campaign that was reached last.", "suspend"),
    _text("next_stage", "The stage that comes next.", "terminate"),
    _text("next_state", "The state that it leads to.", "terminated"),
    _text("next_on", "The day on which it comes at the earliest.", "2027-01-30"),
)
_OF_STATE: Final = (
    _CUSTOMER,
    _text("from", "The state before.", "limited"),
    _text("to", "The state from now on.", "suspended"),
    *_sometimes(
        *_OF_DEBT,
        EventField(
            "overdue",
            Shape.LIST,
            "What is overdue in each currency, in major units.",
            ["30.00 USD"],
        ),
        _text("reason", "Why the host has reinstated the customer.", "paid in cash"),
    ),
)
_OF_PROMISE: Final = (
    _text("promise", "The id of the promise.", "pro_0661842f88b1f1e50c1d"),
    _CUSTOMER,
    EventField("invoices", Shape.LIST, "The numbers of its invoices.", ["INV-7"]),
    _CURRENCY,
    _whole("amount_minor", "What is overdue in that currency, in minor units.", 3000),
    _text("until", "The last day on which it can be kept.", "2026-12-20"),
)
_OF_COMMITMENT: Final = (
    _text("commitment", "The id of the commitment.", "com_0661842f88b1f1e50c1d"),
    _CUSTOMER,
    _text("name", "Its name.", "fibre 1000"),
    _text("terms", "The host's terms; may be empty.", "24 months, 30 USD a month"),
    _text("start", "Its first day.", "2026-01-31"),
    _text("end", "The first day after its term.", "2028-01-31"),
    *_sometimes(
        _text("reason", "Why it ended: term, nonpayment, replaced, or the host's words.", "term")
    ),
)
_OF_NOTICE: Final = (
    _text("kind", "What the message is about: overdue, suspended, restored …", "suspended"),
    _CUSTOMER,
    _text("language", "The customer's language; empty if it is not known.", "de"),
    *_sometimes(
        _CURRENCY,
        _whole("amount_minor", "What is overdue in that currency, in minor units.", 3000),
        EventField("invoices", Shape.LIST, "The overdue invoices, the oldest first.", ["INV-7"]),
        _text("state", "The customer's state because of them.", "suspended"),
        *_OF_DEBT,
        _text("fee_invoice", "The number of the invoice for a fee.", "INV-7-suspend"),
        _text("from", "The state that has ended.", "suspended"),
    ),
)
# --- The fields of each type, beyond those of its kind -------------------------

_BY_KIND: Final[Mapping[str, tuple[EventField, ...]]] = {
    "invoice": _OF_INVOICE,
    "payment": _OF_PAYMENT,
    "prepayment": _OF_PREPAYMENT,
    "link": _OF_LINK,
    "method": _OF_STORED_METHOD,
    "callback": _OF_CALLBACK,
    "account": (*_OF_ACCOUNT, _REASON),
    "feed": _OF_ACCOUNT,
    "payer_number": _OF_PAYER_NUMBER,
    "statement": _OF_STATEMENT,
    "bank_line": _OF_BANK_LINE,
}
_MORE: Final[Mapping[str, tuple[EventField, ...]]] = {
    "invoice.generated": _sometimes(
        EventField("documents", Shape.LIST, "The names of its documents.", ["invoice.pdf"]),
    ),
    "invoice.overdue": (
        _text("status", "Whether something of it is paid: unpaid or partially_paid.", "unpaid"),
        *_sometimes(_text("autopay_on", "The day of the next automatic try.", "2026-12-04")),
    ),
    "invoice.voided": (
        _whole("credited_minor", "What became credit of the customer, in minor units.", 0),
        _REASON,
    ),
    "invoice.written_off": (
        _text("write_off", "The id of the write-off.", "wof_0661842f892f1bcfba3b"),
        _AMOUNT,
        _REASON,
    ),
    "link.revoked": (_REASON,),
    "prepayment.assigned": (
        _text("invoice", "The number of the invoice.", "INV-7"),
        _AMOUNT,
    ),
    "prepayment.replaced": (_whole("closed_minor", "What is not to be paid on it any more.", 0),),
    "prepayment.closed": (_REASON,),
    "payment.unasked": (_PAYER_NUMBER,),
    "payment.identified": (_PAYER_NUMBER,),
    **dict.fromkeys(
        (
            "payment.requires_action",
            "payment.pending",
            "payment.authorized",
            "payment.unknown",
            "payment.declined",
            "payment.failed",
            "payment.canceled",
            "payment.expired",
            "payment.rest_released",
            "payment.captured",
            "payment.capture_failed",
            "payment.voided",
            "payment.void_failed",
        ),
        _OF_RESULT,
    ),
    "payment.seen": (_SEEN,),
    "payment.succeeded": (*_OF_RESULT, *_sometimes(_REFERENCE)),
    "payment.refunded": (
        *_OF_RESULT,
        *_sometimes(
            _whole("refunded_minor", "What was sent back by hand, in minor units.", 1000),
            _text("by", "How it was sent back by hand.", "cash"),
            _REFERENCE,
            _WHY,
        ),
    ),
    "payment.refund_forced": (_WHY,),
    "payment.refund_failed": (*_OF_RESULT, *_sometimes(*_MOVEMENT)),
    "payment.reviewed": (_WHY,),
    "payment.assigned": (_WHY,),
    "payment.resolved": (
        _text("evidence", "How the clerk knows.", "the dashboard, transaction 4711"),
    ),
    "payment.same_reference": (
        EventField("others", Shape.LIST, "The ids of the other payments.", ["pay_06618430493c"]),
    ),
    "payment.reversal_undone": (
        _text("reversal", "The id of the reversal.", "rev_0661842f949bf8ad0a23"),
        _text("number", "The number of the reversal.", "REV-1"),
        _WHY,
    ),
    "payment.disputed": (
        _DISPUTE,
        EventField(
            "respond_by",
            Shape.TEXT_OR_NULL,
            "Until when it can be answered, if known.",
            "2026-01-11",
        ),
    ),
    "payment.charged_back": (*_MOVEMENT, *_sometimes(_DISPUTE)),
    "payment.chargeback_won": (_DISPUTE,),
    "payment.chargeback_lost": (_DISPUTE,),
    **dict.fromkeys(
        ("account.added", "account.rotated", "account.enabled", "account.disabled"),
        (_whole("revision", "How often the account was changed, this time included.", 1),),
    ),
    "callback.dismissed": (
        _text("was", "The state of the callback before.", "orphan"),
        _MOVEMENTS,
    ),
    "feed.failing": (
        _text("since", "Since when it cannot be read.", "2026-01-01T12:10:00+00:00"),
        _REASON,
    ),
    "sink.stopped": (_SINK, _REASON),
    "sink.resumed": (_SINK,),
    "feed.rescanned": (
        _text("start", "From where it is read again.", "840000"),
        EventField("before", Shape.TEXT_OR_NULL, "Where it was.", "850000"),
    ),
    "payer_number.released": (_REASON,),
    "statement.imported": (_whole("entries", "How many entries it has.", 3),),
    "statement.mismatch": (
        _whole("missing_minor", "What its balances have and its entries do not.", 6100),
    ),
    "statement.gap": (
        _whole("gap_minor", "Its opening balance less the closing balance before.", -2500),
    ),
    "bank_line.explained": (_text("class", "How it compares with the ledger.", "matched"),),
    "bank_line.ignored": (_REASON,),
    "bank_line.reopened": (_REASON,),
}
_WHOLE_TYPES: Final[Mapping[str, tuple[EventField, ...]]] = {
    "assignment.conflict": (
        _CUSTOMER,
        _text("owner", "The customer to whom the key belongs.", "C-2"),
        _KEY,
        _CURRENCY,
    ),
    "payment.superseded": (_PAYMENT,),
    "payment.reversed": (
        _PAYMENT,
        _PAYER,
        _text("reversal", "The id of the reversal.", "rev_0661842f949bf8ad0a23"),
        _text("number", "The number of the reversal.", "REV-1"),
        _REASON,
        _text("on", "The date of the reversal.", "2026-11-30"),
        _AMOUNT,
        _CURRENCY,
    ),
    "receipt.booked": (
        *_OF_RECEIPT,
        _whole("receipt_number", "Its number, which increases for each merchant.", 42),
        *_MOVEMENT,
        _AMOUNT,
        _CURRENCY,
        *_sometimes(_ATTEMPT, _OPERATION),
    ),
    "receipt.settled": (
        *_OF_RECEIPT,
        _text("movement_id", "The processor's id of the money that moved.", "ch_1"),
        *_sometimes(
            _whole("settled_minor", "What reached us, in minor units.", 2900),
            _text("settled_currency", "Its currency.", "USD"),
            _whole("fee_minor", "The processor's fee, in minor units.", 100),
            _text("fee_currency", "Its currency.", "USD"),
            _text("settled_on", "The date of settlement.", "2026-01-05"),
        ),
    ),
    "credit.created": (
        *_OF_CREDIT,
        _CREDIT,
        _text("reason", "Why there is credit.", "already_paid"),
        EventField(
            "payment", Shape.TEXT_OR_NULL, "The payment from which it came.", "pay_0661842f8a26"
        ),
    ),
    "credit.returned": (*_OF_CREDIT, _PAYMENT),
    "credit.canceled": (
        *_OF_CREDIT,
        _CREDIT,
        _PAYMENT,
        _whole("spent_minor", "What of it had been used already, in minor units.", 0),
    ),
    "credit.used": _OF_PAYMENT,
    **dict.fromkeys(
        ("autopay.subscribed", "autopay.unsubscribed", "autopay.paused", "autopay.resumed"),
        _OF_SUBSCRIPTION,
    ),
    **dict.fromkeys(
        (
            "customer.warned",
            "customer.limited",
            "customer.suspended",
            "customer.terminated",
            "customer.restored",
        ),
        _OF_STATE,
    ),
    **dict.fromkeys(("promise.made", "promise.kept", "promise.broken"), _OF_PROMISE),
    **dict.fromkeys(
        ("commitment.created", "commitment.ended", "commitment.terminated"), _OF_COMMITMENT
    ),
    "notice.due": _OF_NOTICE,
    "autopay.announced": (
        *_OF_TRY,
        _text("day", "The first day on which it can be charged.", "2026-12-11"),
        _text("method", "The method that is to be charged.", "met_06618431491c210003a1"),
    ),
    "autopay.retry_scheduled": (
        *_OF_FAILED_TRY,
        _text("day", "The first day of the next try.", "2026-12-04"),
        _whole("try", "The number of the try that failed.", 1),
        _whole("tries", "How many there are at most.", 4),
    ),
    "autopay.given_up": _OF_FAILED_TRY,
    "autopay.no_method": (
        *_OF_TRY,
        EventField(
            "methods",
            Shape.LIST,
            "The stored methods, each with the reason why it cannot be charged.",
            ["met_06618431491c210003a1 expired"],
        ),
    ),
    "method.expiring": (
        *_OF_STORED_METHOD,
        _whole("days", "Within how many days it expires: 30 or 7.", 30),
    ),
    "method.requires_action": _OF_METHOD_REQUEST,
    "method.not_stored": _OF_METHOD_REQUEST,
    "method.unknown": _OF_METHOD_REQUEST,
    "method.deleted": _OF_METHOD_REQUEST,
    "method.delete_failed": _OF_METHOD_REQUEST,
    "method.needs_review": _OF_METHOD_REQUEST,
    "method.resolved": (
        *_OF_METHOD,
        _text("evidence", "How the clerk knows.", "the dashboard, transaction 4711"),
    ),
    "ledger.sending_stopped": (_REASON,),
    "ledger.sending_resumed": (
        _text("evidence", "How the operator knows.", "compared with the dashboards"),
        _REASON,
        EventField("waits", Shape.LIST, "What was still due.", []),
        EventField("feeds_read", Shape.LIST, "The feeds that had been read again.", ["card"]),
    ),
}


def _fields(type_: str) -> tuple[EventField, ...]:
    if type_ in _WHOLE_TYPES:
        return _WHOLE_TYPES[type_]
    more = _MORE.get(type_, ())
    named = {each.name for each in more}
    kind = type_.partition(".")[0]
    return (*(each for each in _BY_KIND.get(kind, ()) if each.name not in named), *more)


EVENT_FIELDS: Final[Mapping[str, tuple[EventField, ...]]] = {
    type_: _fields(type_) for type_ in EVENT_TYPES
}
"""The fields of the data of each event type."""


def problems(type_: str, data: Mapping[str, Any]) -> list[str]:
    """Return how *data* differs from what the catalogue says about events of *type_*."""
    fields = {each.name: each for each in EVENT_FIELDS[type_]}
    found = [f"{name} is not in the catalogue" for name in data if name not in fields]
    for name, field in fields.items():
        if name not in data:
            found += [f"{name} is missing"] if field.always else []
        elif not _fits(data[name], field.shape):
            found.append(f"{name} is {type(data[name]).__name__}, not a {field.shape}")
    return found


def _fits(value: object, shape: Shape) -> bool:
    match shape:
        case Shape.TEXT:
            return isinstance(value, str)
        case Shape.TEXT_OR_NULL:
            return value is None or isinstance(value, str)
        case Shape.WHOLE:
            return isinstance(value, int) and not isinstance(value, bool)
        case Shape.LIST:
            return isinstance(value, list | tuple) and all(
                isinstance(each, str) for each in cast("list[object]", value)
            )
        case Shape.RESULTS:
            return isinstance(value, Mapping) and all(
                isinstance(each, str) for each in cast("Mapping[str, object]", value).values()
            )
        case Shape.OBJECT:
            return isinstance(value, Mapping)
        case _:
            assert_never(shape)


_JSON: Final[Mapping[Shape, Mapping[str, Any]]] = {
    Shape.TEXT: {"type": "string"},
    Shape.TEXT_OR_NULL: {"type": ["string", "null"]},
    Shape.WHOLE: {"type": "integer"},
    Shape.LIST: {"type": "array", "items": {"type": "string"}},
    Shape.OBJECT: {"type": "object"},
    Shape.RESULTS: {"type": "object", "additionalProperties": {"type": "string"}},
}


def json_schema(type_: str) -> dict[str, Any]:
    """Return the JSON Schema of a whole event of *type_*, as a sink for JSON sends it."""
    fields = EVENT_FIELDS[type_]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": type_,
        "description": EVENT_TYPES[type_],
        "type": "object",
        "required": ["id", "type", "aggregate", "seq", "schema_version", "occurred_at", "data"],
        "properties": {
            "id": {"type": "string", "description": "The same on every delivery."},
            "type": {"const": type_},
            "aggregate": {"type": "string", "description": "What it happened to."},
            "seq": {
                "type": "integer",
                "minimum": 1,
                "description": "1, 2, 3 … without gaps for each aggregate.",
            },
            "schema_version": {"const": SCHEMA_VERSION},
            "occurred_at": {"type": "string", "format": "date-time"},
            "actor": {"type": "string", "description": "Who caused it."},
            "position": {"type": "integer", "description": "Its place in the ledger."},
            "data": {
                "type": "object",
                "required": [each.name for each in fields if each.always],
                "properties": {
                    each.name: {**_JSON[each.shape], "description": each.meaning} for each in fields
                },
            },
        },
    }


def example(type_: str) -> dict[str, Any]:
    """Return the data of an example event of *type_*, with every field."""
    return {each.name: each.example for each in EVENT_FIELDS[type_]}
