"""Pairs for each message of the fake's protocol: build the request, parse the answer.

Whatever bytes come back, parsing gives an outcome or raises `BadReply`.
"""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlencode

from paygate.dialogue import BODY_BYTES_MAX, Request
from paygate.domain.customer import PayerField
from paygate.domain.method import Kind, StoredMethod
from paygate.domain.money import Money
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    Closed,
    Closing,
    DeclineCode,
    Declined,
    Movement,
    MovementKind,
    NotFound,
    PayToAddress,
    Pending,
    Redirect,
    RejectCause,
    Rejected,
    ShowVoucher,
    Unknown,
)
from paygate.domain.secret import OneTimeToken, RawBankAccount, RawCard, Secret
from paygate.errors import BadReply, PaygateError
from paygate.gateway import AccountFacts, FeedPage, Notice, StoredToken, step_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from paygate.dialogue import Response
    from paygate.domain.customer import Customer
    from paygate.domain.outcome import Action, Finding, Outcome
    from paygate.gateway import (
        Capture,
        Charge,
        ClosingUp,
        Completion,
        Enrollment,
        Forgetting,
        Inquiry,
        Method,
        Refunding,
        Voiding,
    )

T = TypeVar("T")

CLOCK_SKEW = timedelta(minutes=5)
"""How far the processor's clock may be behind ours when a list is read from an instant on."""

_MOVE_AT_ONCE = frozenset({Kind.CARD, Kind.E_CHECK})


# --- Building -----------------------------------------------------------------------


def build_open(base: str, charge: Charge) -> Request:
    """Create the e-check that the following charge debits."""
    return _post(base, "open", charge.key, _charge_body(charge), moves_money=False)


def build_charge(base: str, charge: Charge, about: str = "") -> Request:
    """Collect, or start collecting; *about* is an e-check that was opened before."""
    if about:
        body: dict[str, Any] = {"about": about, "our_ref": charge.our_ref}
        body["invoices"] = charge.invoices
    else:
        body = _charge_body(charge)
    return _post(base, "charge", charge.key, body, moves_money=charge.kind in _MOVE_AT_ONCE)


def build_authorize(base: str, charge: Charge) -> Request:
    """Hold the amount."""
    return _post(base, "authorize", charge.key, _charge_body(charge), moves_money=True)


def build_complete(base: str, completion: Completion) -> Request:
    """Finish what the payer approved."""
    return _post(base, "complete", completion.key, _followup(completion))


def build_capture(base: str, capture: Capture) -> Request:
    """Take what is held."""
    return _post(base, "capture", capture.key, {**_followup(capture), "final": capture.final})


def build_void(base: str, voiding: Voiding) -> Request:
    """Undo what has not settled."""
    return _post(base, "void", voiding.key, _followup(voiding))


def build_refund(base: str, refunding: Refunding) -> Request:
    """Send money back."""
    body = {**_followup(refunding), "movement": refunding.movement_id}
    return _post(base, "refund", refunding.key, body)


def build_close(base: str, closing: ClosingUp) -> Request:
    """Withdraw a page or slip."""
    body = {
        "about": closing.reference,
        "our_ref": closing.our_ref,
        "payment": closing.payment,
    }
    return _post(base, "close", closing.key, body, moves_money=False)


def build_enroll(base: str, enrollment: Enrollment) -> Request:
    """Keep a method."""
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
    """Delete a method."""
    body = {
        "kind": kind,
        "our_ref": forgetting.our_ref,
        "token": forgetting.token.value.reveal(),
    }
    return _post(base, "forget", forgetting.key, body, moves_money=False)


def build_look_up(base: str, inquiry: Inquiry) -> Request:
    """Ask by our reference."""
    return _get(base, "look_up", operation=inquiry.operation, our_ref=inquiry.our_ref)


def build_look_up_by_reference(base: str, inquiry: Inquiry) -> Request:
    """Ask by the processor's reference."""
    return _get(base, "look_up", reference=inquiry.reference)


def build_list(base: str, inquiry: Inquiry, after: str) -> Request:
    """Read a page of the orders since the one that we look for was sent."""
    since = (inquiry.sent_at - CLOCK_SKEW).isoformat()
    return _get(base, "list", operation=inquiry.operation, since=since, after=after)


def build_feed(base: str, cursor: str) -> Request:
    """Read a page of the events."""
    return _get(base, "events", after=cursor)


def build_check(base: str) -> Request:
    """Ask whose account this is."""
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
        body=json.dumps(body, separators=(",", ":")).encode(),
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
    """Name the facts that we have; the fake has no use for the facts themselves."""
    return [] if payer is None else [field for field in PayerField if field.given_by(payer)]


# --- Parsing ------------------------------------------------------------------------


def parse_opened(response: Response) -> str | Rejected:
    """Read the reference of an e-check that can be debited now."""
    if 400 <= response.status < 500:
        return _read(response, _rejected)
    _require_ok(response)
    return _read(response, lambda body: _text(body, "reference"))


def parse_outcome(response: Response, *, moved: bool = True) -> Outcome:
    """Read what became of an operation; trouble before money could move is a `BadReply`."""
    if response.status >= 500 and moved:
        return Unknown(reason=f"the processor answered with status {response.status}")
    if 400 <= response.status < 500:
        return _read(response, _rejected)
    _require_ok(response)
    return _read(response, read_outcome)


def parse_finding(response: Response) -> Finding:
    """Read what an inquiry found."""
    _require_ok(response)
    return _read(response, lambda body: _finding(_rows(body, "orders")))


def parse_list(response: Response, our_ref: str) -> Finding | str:
    """Find *our_ref* on a page of orders, or tell where the next page starts."""
    _require_ok(response)

    def look(body: Mapping[str, Any]) -> Finding | str:
        found = [row for row in _rows(body, "orders") if row["our_ref"] == our_ref]
        if not found and _flag(body, "more"):
            return str(_whole(body, "after"))
        return _finding(found)

    return _read(response, look)


def parse_feed(response: Response) -> FeedPage:
    """Read a page of events."""
    _require_ok(response)

    def page(body: Mapping[str, Any]) -> FeedPage:
        notices = tuple(read_notice(row) for row in _rows(body, "events"))
        return FeedPage(
            notices=notices, cursor=str(_whole(body, "after")), more=_flag(body, "more")
        )

    return _read(response, page)


def parse_check(response: Response) -> AccountFacts:
    """Read whose account it is."""
    _require_ok(response)

    def facts(body: Mapping[str, Any]) -> AccountFacts:
        return AccountFacts(
            merchant_account=_text(body, "merchant_account"),
            live=_flag(body, "live"),
            name=_text(body, "name"),
        )

    return _read(response, facts)


def _require_ok(response: Response) -> None:
    if response.status != 200:
        raise BadReply(
            f"the processor answered with status {response.status}", status=response.status
        )


def _read(response: Response, reader: Callable[[Mapping[str, Any]], T]) -> T:
    """Let *reader* make sense of the body; what it cannot read is a `BadReply`."""
    if len(response.body) > BODY_BYTES_MAX:
        raise BadReply(
            f"an answer of {len(response.body)} bytes is not read", status=response.status
        )
    body = response.json_object()
    try:
        return reader(body)
    except BadReply:
        raise
    except (LookupError, TypeError, ValueError, OverflowError, PaygateError) as error:
        raise BadReply(
            f"status {response.status}: the answer does not read as the protocol says: {error!r}",
            status=response.status,
        ) from error


def _finding(rows: list[Mapping[str, Any]]) -> Finding:
    """Tell of all orders with one reference of ours: money that moved twice shows twice."""
    outcomes = [read_outcome(row) for row in rows]
    if not outcomes:
        return NotFound()
    approved = [outcome for outcome in outcomes if isinstance(outcome, Approved)]
    if len(approved) < 2:
        return approved[0] if approved else outcomes[0]
    movements = {
        movement.movement_id: movement for each in approved for movement in each.movements
    }
    return Approved(reference=approved[0].reference, movements=tuple(movements.values()))


def read_outcome(order: Mapping[str, Any]) -> Outcome:
    """Make an outcome of an order as the processor shows it."""
    state = order["state"]
    reference = _text(order, "reference") if "reference" in order else ""
    match state:
        case "approved":
            return Approved(
                reference=reference,
                movements=tuple(_movement(row) for row in _rows(order, "movements", needed=False)),
                method=_stored_method(order),
            )
        case "authorized":
            return Authorized(
                amount=_money(order),
                reference=reference,
                expires_at=_instant(order, "expires_at"),
                method=_stored_method(order),
            )
        case "declined":
            decline = _part(order, "decline")
            return Declined(
                code=DeclineCode(decline["code"]),
                raw_code=_text(decline, "raw_code"),
                retryable=_flag(decline, "retryable"),
                reference=reference,
            )
        case "pending":
            return Pending(reference=reference, expected_at=_instant(order, "expected_at"))
        case "action" | "ready":
            return ActionRequired(
                action=_action(_part(order, "action"), order),
                reference=reference,
                expires_at=_instant(order, "expires_at"),
            )
        case "expired" | "canceled":
            return Closed(how=Closing(state), reference=reference)
        case _:
            raise ValueError(f"no such state: {state!r}")


def read_notice(event: Mapping[str, Any]) -> Notice:
    """Make a notice of an event of the feed or of a callback."""
    order = _part(event, "order")
    return Notice(
        event_id=_text(event, "id"),
        type=_text(event, "type"),
        reference=_text(order, "reference"),
        our_ref=_text(order, "our_ref"),
        answer=read_outcome(order),
        ready=order["state"] == "ready",
        movements=tuple(_movement(row) for row in _rows(event, "moved", needed=False)),
        occurred_at=_instant(event, "occurred_at"),
    )


def _rejected(body: Mapping[str, Any]) -> Rejected:
    error = _part(body, "error")
    return Rejected(
        cause=RejectCause(error["cause"]),
        retryable=_flag(error, "retryable"),
        raw_code=_text(error, "raw_code"),
        message=_text(error, "message"),
    )


def _movement(row: Mapping[str, Any]) -> Movement:
    return Movement(
        movement_id=_text(row, "id"),
        amount=_money(row),
        kind=MovementKind(row["kind"]),
        effective=date.fromisoformat(_text(row, "effective")),
        undoes=_text(row, "undoes") if "undoes" in row else None,
        code=_text(row, "code") if "code" in row else "",
    )


def _action(action: Mapping[str, Any], order: Mapping[str, Any]) -> Action:
    match action["type"]:
        case "redirect":
            return Redirect(url=_text(action, "url"))
        case "voucher":
            number = _text(action, "number")
            text = _text(action, "text")
            return ShowVoucher(reference=number, barcode=number, instructions=text)
        case "address":
            address = _text(action, "address")
            amount = Money("BTC", _whole(action, "satoshi"))
            uri = f"bitcoin:{address}?amount={amount.decimal:f}"
            return PayToAddress(address=address, amount=amount, uri=uri)
        case other:
            raise ValueError(f"no such action: {other!r} for {order['reference']}")


def _stored_method(order: Mapping[str, Any]) -> StoredMethod | None:
    if "method" not in order:
        return None
    method = _part(order, "method")
    return StoredMethod(
        token=Secret(_text(method, "token")),
        kind=Kind(method["kind"]),
        brand=_text(method, "brand"),
        last4=_text(method, "last4"),
        expires_month=12 if method["kind"] == Kind.CARD else None,
        expires_year=2099 if method["kind"] == Kind.CARD else None,
    )


# --- Fields, each of the one type that it must have ------------------------------------


def _text(row: Mapping[str, Any], name: str) -> str:
    return _typed(row[name], name, str)


def _whole(row: Mapping[str, Any], name: str) -> int:
    return _typed(row[name], name, int)


def _flag(row: Mapping[str, Any], name: str) -> bool:
    return _typed(row[name], name, bool)


def _part(row: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", _typed(row[name], name, dict))


def _rows(row: Mapping[str, Any], name: str, *, needed: bool = True) -> list[Mapping[str, Any]]:
    rows = _typed(row[name] if needed else row.get(name, []), name, list)
    return [cast("Mapping[str, Any]", _typed(each, name, dict)) for each in rows]


def _money(row: Mapping[str, Any]) -> Money:
    return Money(_text(row, "currency"), _whole(row, "minor"))


def _instant(row: Mapping[str, Any], name: str) -> datetime | None:
    if name not in row:
        return None
    instant = datetime.fromisoformat(_text(row, name))
    if instant.tzinfo is None:
        raise ValueError(f"{name} has no zone")
    return instant


def _typed(value: Any, name: str, wanted: type[T]) -> T:
    if type(value) is not wanted:
        raise TypeError(f"{name} is {type(value).__name__} and not {wanted.__name__}")
    return value
