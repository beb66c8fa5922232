"""Orders with a changed field, to check whether each field reaches the processor."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from paygate.driver import (
    Browser,
    Charge,
    ChargeLine,
    ChargeReason,
    Mandate,
    OneTimeToken,
    Operation,
    RawCard,
    StoredToken,
)
from paygate.testing.conformance.subject import OTHER_PAYER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.driver import Kind, Method, Rail

SEEN_ELSEWHERE: Final[Mapping[str, str]] = {
    "key": "test_another_key_makes_it_another_request",
    "our_ref": "test_our_reference_travels_with_it",
    "payment": "it is for the driver's own use; `our_ref` identifies the operation",
    "amount": "test_two_amounts_never_look_alike",
    "method": "test_the_method_reaches_the_processor",
    "token": "test_the_right_method_is_forgotten",
    "reference": "the case for the object that the operation acts on",
    "movement_id": "the case for the object that the operation acts on",
    "from_reference": "the method of a payment is stored instead of `method`",
    "parameters": "test_the_payers_own_word_is_not_believed",
    "final": "test_only_the_last_capture_lets_go_of_the_rest",
    "address_index": "it is shown to the payer, and not sent to the processor",
    "asked_at": "the payer is shown the quote of that instant",
    **dict.fromkeys(
        (
            "lines",
            "statement_suffix",
            "receipt_email",
            "metadata",
            "ship_to",
            "moto",
            "customer_reference",
            "currency",
        ),
        "test_what_it_also_sends_reaches_the_processor, if the transcript names it",
    ),
}
"""The fields that are not changed here, and which case checks them or why none does."""


@dataclass(frozen=True, slots=True)
class Otherwise:
    """A field of an order, with the fields to give for one value and for another."""

    field: str
    one: Mapping[str, Any]
    other: Mapping[str, Any]


_TEXTS: Final[Mapping[str, tuple[object, object]]] = {
    "invoices": (("INV-7",), ("INV-9",)),
    "description": ("Invoice INV-7", "Invoice INV-9"),
    "return_url": ("https://shop.example/back", "https://shop.example/other"),
    "browser": (None, Browser(ip="203.0.113.9", user_agent="Kit/1", accept="text/html")),
    "reason": ("requested_by_customer", "duplicate"),
}


def asked_besides(question: Any, name: str) -> Otherwise | None:
    """Return two values for the optional field *name* of *question*, or None without one."""
    besides: Mapping[str, tuple[object, object]] = {
        "statement_suffix": ("", "KIT 7"),
        "receipt_email": ("", "kit@example.org"),
        "metadata": ({}, {"order": "kit-7"}),
        "ship_to": (None, OTHER_PAYER),
        "moto": (False, True),
        "customer_reference": ("", "cus-kit-7"),
    }
    if isinstance(question, Charge):
        line = ChargeLine("INV-7", question.amount)
        besides = {**besides, "lines": ((), (line,)), "reason": (None, ChargeReason.RECURRING)}
    elif hasattr(question, "currency"):
        besides = {**besides, "currency": ("", "USD")}
    if name not in besides or not hasattr(question, name):
        return None
    one, other = besides[name]
    return Otherwise(name, {name: one}, {name: other})


def asked_otherwise(
    question: Any, kind: Kind, rail: Rail, others: Mapping[Kind, Method]
) -> list[Otherwise]:
    """
    Return the fields of *question* that can be changed on this rail, with two values each.

    *others* are the other kinds with this operation, each with a method that both accept.
    """
    found = (_otherwise(each.name, question, kind, rail) for each in fields(question))
    kinds = [
        Otherwise("kind", {"method": method}, {"kind": other}) for other, method in others.items()
    ]
    return [*(each for each in found if each is not None), *kinds[:1]]


def _otherwise(name: str, question: Any, kind: Kind, rail: Rail) -> Otherwise | None:
    if name in SEEN_ELSEWHERE or name == "kind":
        return None
    if name == "reason" and isinstance(question, Charge):
        return None  # also_sent covers it
    if name in _TEXTS:
        one, other = _TEXTS[name]
        return Otherwise(name, {name: one}, {name: other})
    match name:
        case "payer" | "customer":
            return Otherwise(name, {}, {name: OTHER_PAYER})
        case "store_method":
            return _storing(question, rail)
        case "payer_present":
            return _present(rail)
        case "mandate":
            return Otherwise(name, {name: None}, {name: _MANDATE}) if _is_debit(kind) else None
        case _:
            raise NotImplementedError(f"the kit has no second value for the field {name!r}")


_MANDATE: Final = Mandate(
    text_version="sepa-2026", accepted_at=datetime(2026, 7, 1, tzinfo=UTC), reference="M-77"
)


def _is_debit(kind: Kind) -> bool:
    return kind == "e_check"


def _storing(question: Any, rail: Rail) -> Otherwise | None:
    stores = Operation.ENROLL in rail.operations
    new = isinstance(question.method, OneTimeToken | RawCard)
    if not stores or not new:
        return None
    return Otherwise("store_method", {"store_method": False}, {"store_method": True})


def _present(rail: Rail) -> Otherwise | None:
    """Return the field with the payer present and absent; only a stored method allows absent."""
    if rail.payer_present or StoredToken not in rail.methods:
        return None
    return Otherwise("payer_present", {"payer_present": True}, {"payer_present": False})
