"""Requests of the fake's protocol, one builder for each; `answers` parses the responses."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from paygate.driver import (
    Kind,
    OneTimeToken,
    PayerField,
    RawBankAccount,
    RawCard,
    Request,
    StoredToken,
    step_key,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.driver import (
        Capture,
        Charge,
        Completion,
        Customer,
        Enrollment,
        Forgetting,
        Inquiry,
        Method,
        Refunding,
        Voiding,
        Withdrawal,
    )

CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far the processor's clock may be behind ours if a list is read from an instant on."""

_MOVE_AT_ONCE = frozenset({Kind.CARD, Kind.E_CHECK})
_to_json = json.JSONEncoder(separators=(",", ":")).encode


def build_open(base: str, charge: Charge) -> Request:
    """Build the request that creates an e-check, which the following charge debits."""
    return _post(base, "open", charge.key, _charge_body(charge), moves_money=False)


def build_charge(base: str, charge: Charge, about: str = "") -> Request:
    """Build the request to collect, or to start collecting; *about* is an open e-check."""
    if about:
        body: dict[str, Any] = {"about": about, "our_ref": charge.our_ref}
        body["invoices"] = charge.invoices
    else:
        body = _charge_body(charge)
    return _post(base, "charge", charge.key, body, moves_money=charge.kind in _MOVE_AT_ONCE)


def build_authorize(base: str, charge: Charge) -> Request:
    """Build the request to hold the amount."""
    return _post(base, "authorize", charge.key, _charge_body(charge), moves_money=True)


def build_complete(base: str, completion: Completion) -> Request:
    """Build the request to finish a charge that the payer approved."""
    return _post(base, "complete", completion.key, _followup(completion))


def build_capture(base: str, capture: Capture) -> Request:
    """Build the request to take money that is held."""
    return _post(base, "capture", capture.key, {**_followup(capture), "final": capture.final})


def build_void(base: str, voiding: Voiding) -> Request:
    """Build the request to cancel a charge that has not settled."""
    return _post(base, "void", voiding.key, _followup(voiding))


def build_refund(base: str, refunding: Refunding) -> Request:
    """Build the request to send money back."""
    body = {**_followup(refunding), "movement": refunding.movement_id}
    return _post(base, "refund", refunding.key, body)


def build_withdraw(base: str, withdrawal: Withdrawal) -> Request:
    """Build the request to withdraw a page or slip."""
    body = {
        "about": withdrawal.reference,
        "our_ref": withdrawal.our_ref,
        "payment": withdrawal.payment,
    }
    return _post(base, "withdraw", withdrawal.key, body, moves_money=False)


def build_enroll(base: str, enrollment: Enrollment) -> Request:
    """Build the request to store a method."""
    body = {
        "kind": enrollment.kind,
        "our_ref": enrollment.our_ref,
        "customer": enrollment.customer.id,
        "method": _method(enrollment.method),
        "from_reference": enrollment.from_reference,
        "return_url": enrollment.return_url,
    }
    return _post(base, "enroll", enrollment.key, body, moves_money=False)


def build_forget(base: str, forgetting: Forgetting, kind: Kind) -> Request:
    """Build the request to delete a stored method."""
    body = {
        "kind": kind,
        "our_ref": forgetting.our_ref,
        "token": forgetting.token.value.reveal(),
    }
    return _post(base, "forget", forgetting.key, body, moves_money=False)


def build_look_up(base: str, inquiry: Inquiry) -> Request:
    """Build the inquiry by our reference."""
    return _get(base, "look_up", operation=inquiry.operation, our_ref=inquiry.our_ref)


def build_look_up_by_reference(base: str, inquiry: Inquiry) -> Request:
    """Build the inquiry by the processor's reference."""
    return _get(base, "look_up", reference=inquiry.reference)


def build_list(base: str, inquiry: Inquiry, after: str) -> Request:
    """Build the request for a page of the orders since the attempt, or of one payment."""
    since = (inquiry.sent_at - CLOCK_SKEW).isoformat()
    asked = {"operation": str(inquiry.operation), "since": since, "after": after}
    if inquiry.parent_reference:
        asked["about"] = inquiry.parent_reference
    return _get(base, "list", **asked)


def build_feed(base: str, kind: Kind, cursor: str) -> Request:
    """Build the request for a page of the events of *kind*; others belong to other accounts."""
    return _get(base, "events", after=cursor, kind=kind)


def build_check(base: str) -> Request:
    """Build the request for the account that the credentials belong to."""
    return _get(base, "account")


def _post(
    base: str, operation: str, key: str, body: Mapping[str, Any], *, moves_money: bool = True
) -> Request:
    return Request(
        method="POST",
        url=f"{base}/v1/{operation}",
        step=operation,
        headers={
            "content-type": "application/json",
            "idempotency-key": step_key(key, operation),
        },
        body=_to_json(body).encode(),
        moves_money=moves_money,
    )


def _get(base: str, path: str, **asked: str) -> Request:
    url = f"{base}/v1/{path}?{urlencode(asked)}"
    return Request(method="GET", url=url, step=path, repeatable=True)


def _charge_body(charge: Charge) -> dict[str, Any]:
    return {
        "kind": charge.kind,
        "our_ref": charge.our_ref,
        "payment": charge.payment,
        "currency": charge.amount.currency,
        "minor": charge.amount.minor,
        "method": _method(charge.method),
        "payer": _payer_fields(charge.payer),
        "invoices": charge.invoices,
        "return_url": charge.return_url,
        "store_method": charge.store_method,
    }


def _followup(operation: Completion | Capture | Voiding | Refunding) -> dict[str, Any]:
    return {
        "about": operation.reference,
        "our_ref": operation.our_ref,
        "payment": operation.payment,
        "currency": operation.amount.currency,
        "minor": operation.amount.minor,
    }


def _method(method: Method | None) -> dict[str, str] | None:
    match method:
        case None:
            return None
        case OneTimeToken() | StoredToken():
            return {"token": method.value.reveal()}
        case RawCard():
            return {"number": method.number.reveal()}
        case RawBankAccount():
            return {
                "routing_number": method.routing_number.reveal(),
                "account_number": method.account_number.reveal(),
            }


def _payer_fields(payer: Customer | None) -> list[str]:
    """Return the names of the payer's facts; the fake does not need their values."""
    return [] if payer is None else [field for field in PayerField if field.given_by(payer)]
