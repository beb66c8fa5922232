"""Responses of the fake's protocol: one parser for each request of `requests`.

Whatever the bytes are, a parser returns an outcome or raises `BadResponse`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

from paygate.driver import (
    BODY_BYTES_MAX,
    AccountFacts,
    ActionRequired,
    Advice,
    Approved,
    ApproveElsewhere,
    Authorized,
    BadResponse,
    CardCheck,
    CardChecks,
    CheckResult,
    DeclineCode,
    Declined,
    Dispute,
    DisputeState,
    Ended,
    Ending,
    FeedPage,
    Kind,
    MethodFacts,
    Money,
    Movement,
    MovementKind,
    NotFound,
    Notice,
    Operation,
    PaygateError,
    PayToAddress,
    Pending,
    PostForm,
    Redirect,
    RejectCause,
    Rejected,
    ScriptStep,
    Secret,
    ShowCode,
    ShowVoucher,
    StoredMethod,
    Unknown,
    brand_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from paygate.driver import Action, Finding, Outcome, Response

T = TypeVar("T")

_KNOWN = frozenset(Operation)
"""The operations that an event can be about; events about others are ignored."""


def parse_opened(response: Response) -> str | Rejected:
    """Return the reference of an e-check that can now be debited."""
    if 400 <= response.status < 500:
        return _read(response, _rejected)
    _require_ok(response)
    return _read(response, lambda body: _text(body, "reference"))


def parse_outcome(response: Response, *, moved: bool = True) -> Outcome:
    """Return the outcome of an operation; raise `BadResponse` for a fault before money moves."""
    if response.status >= 500 and moved:
        return Unknown(reason=f"the processor answered with status {response.status}")
    if 400 <= response.status < 500:
        return _read(response, _rejected)
    _require_ok(response)
    return _read(response, read_outcome)


def parse_finding(response: Response) -> Finding:
    """Return what an inquiry found."""
    _require_ok(response)
    return _read(response, lambda body: _finding(_rows(body, "orders")))


def parse_list(response: Response, our_ref: str) -> Finding | str:
    """Return *our_ref*'s finding on a page of orders, or the cursor of the next page."""
    _require_ok(response)

    def look(body: Mapping[str, Any]) -> Finding | str:
        found = [row for row in _rows(body, "orders") if row["our_ref"] == our_ref]
        if not found and _flag(body, "more"):
            return str(_whole(body, "after"))
        return _finding(found)

    return _read(response, look)


def parse_feed(response: Response) -> FeedPage:
    """Return a page of events."""
    _require_ok(response)

    def page(body: Mapping[str, Any]) -> FeedPage:
        notices = tuple(read_event(row) for row in _rows(body, "events"))
        return FeedPage(
            notices=notices, cursor=str(_whole(body, "after")), more=_flag(body, "more")
        )

    return _read(response, page)


def parse_notice(response: Response) -> Notice:
    """Return the notice in a callback."""
    return _read(response, read_event)


def read_event(event: Mapping[str, Any]) -> Notice:
    """Return the notice of an event; an unreadable one of another application is empty."""
    order = _part(event, "order")
    try:
        return read_notice(event)
    except (LookupError, TypeError, ValueError, OverflowError, PaygateError):
        if _text(order, "our_ref"):
            raise
        return Notice(event_id=_text(event, "id"), type=_text(event, "type"))


def parse_check(response: Response) -> AccountFacts:
    """Return the facts of the account."""
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
        raise BadResponse(
            f"the processor responded with status {response.status}", status=response.status
        )


def _read(response: Response, reader: Callable[[Mapping[str, Any]], T]) -> T:
    """Return what *reader* makes of the body; raise `BadResponse` if it cannot read it."""
    if len(response.body) > BODY_BYTES_MAX:
        raise BadResponse(
            f"a response of {len(response.body)} bytes is too large to be read",
            status=response.status,
        )
    body = _object(response)
    try:
        return reader(body)
    except BadResponse:
        raise
    except (LookupError, TypeError, ValueError, OverflowError, PaygateError) as error:
        raise BadResponse(
            f"status {response.status}: the response does not follow the protocol: {error!r}",
            status=response.status,
        ) from error


def _object(response: Response) -> Mapping[str, Any]:
    """Return the body without the driver kit, which would load pydantic for every fake."""
    try:
        value: object = json.loads(response.body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BadResponse(
            f"status {response.status}: expected a JSON object, got {len(response.body)} other "
            "bytes",
            status=response.status,
        )
    return cast("dict[str, Any]", value)


def _finding(rows: list[Mapping[str, Any]]) -> Finding:
    """Return the finding for all orders with one of our references: each movement shows."""
    outcomes = [read_outcome(row) for row in rows]
    if not outcomes:
        return NotFound()
    approved = [outcome for outcome in outcomes if isinstance(outcome, Approved)]
    if len(approved) < 2:
        return approved[0] if approved else outcomes[0]
    movements = {movement.movement_id: movement for each in approved for movement in each.movements}
    return Approved(reference=approved[0].reference, movements=tuple(movements.values()))


def read_outcome(order: Mapping[str, Any]) -> Outcome:
    """Return the outcome of an order as the processor shows it."""
    state = order["state"]
    reference = _text(order, "reference") if "reference" in order else ""
    match state:
        case "approved":
            return Approved(
                reference=reference,
                movements=tuple(_movement(row) for row in _rows(order, "movements", needed=False)),
                disputes=tuple(_dispute(row) for row in _rows(order, "disputes", needed=False)),
                method=_stored_method(order),
                method_facts=_method_facts(order),
                checks=_checks(order),
            )
        case "authorized":
            return Authorized(
                amount=_money(order),
                reference=reference,
                expires_at=_instant(order, "expires_at"),
                method=_stored_method(order),
                method_facts=_method_facts(order),
                checks=_checks(order),
            )
        case "declined":
            # A declined page is closed; a declined try, which leaves it open, is an event.
            declined = _declined(_part(order, "decline"), reference)
            return replace(
                declined,
                final="action" in order,
                method_facts=_method_facts(order),
                checks=_checks(order),
            )
        case "rejected":
            return replace(_rejected(order), reference=reference)
        case "pending":
            return Pending(
                reference=reference,
                expected_at=_instant(order, "expected_at"),
                amount=_seen(order),
            )
        case "action" | "ready":
            return ActionRequired(
                action=_action(_part(order, "action"), order),
                reference=reference,
                expires_at=_instant(order, "expires_at"),
            )
        case "expired" | "canceled":
            return Ended(how=Ending(state), reference=reference)
        case _:
            raise ValueError(f"unknown state {state!r}")


def read_notice(event: Mapping[str, Any]) -> Notice:
    """Return the notice of an event in the feed or in a callback."""
    order = _part(event, "order")
    if order["operation"] not in _KNOWN:
        return Notice(event_id=_text(event, "id"), type=_text(event, "type"))
    reference = _text(order, "reference")
    # A declined try leaves the page payable, so the state of the order does not show it.
    tried = "tried" in event
    answer = _declined(_part(event, "tried"), reference) if tried else read_outcome(order)
    return Notice(
        event_id=_text(event, "id"),
        type=_text(event, "type"),
        reference=reference,
        our_ref=_text(order, "our_ref"),
        answer=answer,
        ready=order["state"] == "ready",
        movements=tuple(_movement(row) for row in _rows(event, "moved", needed=False)),
        disputes=tuple(_dispute(row) for row in _rows(event, "disputes", needed=False)),
        occurred_at=_instant(event, "occurred_at"),
        payer_number=_text(order, "payer_number") if "payer_number" in order else "",
    )


def _seen(order: Mapping[str, Any]) -> Money | None:
    """Return the amount that is on its way, if the payer decides how much to pay."""
    if "seen" not in order:
        return None
    return Money(_text(order, "currency"), _whole(order, "seen"))


def _declined(decline: Mapping[str, Any], reference: str) -> Declined:
    return Declined(
        code=DeclineCode(decline["code"]),
        raw_code=_text(decline, "raw_code"),
        retryable=_flag(decline, "retryable"),
        reference=reference,
        advice=Advice(_text(decline, "advice")) if "advice" in decline else None,
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
        effective=_instant(row, "effective"),
        undoes=_text(row, "undoes") if "undoes" in row else None,
        code=_text(row, "code") if "code" in row else "",
        settled=_money(_part(row, "settled")) if "settled" in row else None,
        fee=_money(_part(row, "fee")) if "fee" in row else None,
        settled_on=date.fromisoformat(_text(row, "settled_on")) if "settled_on" in row else None,
    )


def _dispute(row: Mapping[str, Any]) -> Dispute:
    return Dispute(
        reference=_text(row, "reference"),
        state=DisputeState(row["state"]),
        amount=_money(row),
        reason=_text(row, "reason"),
        respond_by=_instant(row, "respond_by"),
    )


def _action(action: Mapping[str, Any], order: Mapping[str, Any]) -> Action:
    match action["type"]:
        case "redirect":
            return Redirect(url=_text(action, "url"))
        case "script":
            return ScriptStep(
                script_url=_text(action, "url"),
                publishable_key=_text(action, "key"),
                client_secret=Secret(_text(action, "secret")),
            )
        case "form":
            return PostForm(
                url=_text(action, "url"),
                token_field="token",  # noqa: S106  (the name of the form's field)
                token=Secret(_text(action, "secret")),
            )
        case "voucher":
            number = _text(action, "number")
            text = _text(action, "text")
            return ShowVoucher(reference=number, barcode=number, instructions=text)
        case "code":
            return ShowCode(payload=_text(action, "payload"))
        case "push":
            return ApproveElsewhere(where=_text(action, "where"), code=_text(action, "code"))
        case "address":
            address = _text(action, "address")
            amount = Money("BTC", _whole(action, "satoshi"))
            uri = f"bitcoin:{address}?amount={amount.decimal:f}"
            return PayToAddress(address=address, amount=amount, uri=uri)
        case other:
            raise ValueError(f"unknown action {other!r} for {order['reference']}")


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


def _method_facts(order: Mapping[str, Any]) -> MethodFacts | None:
    if "paid_with" not in order:
        return None
    told = _part(order, "paid_with")
    return MethodFacts(
        brand=brand_of(_text(told, "brand")) if "brand" in told else "",
        last4=_text(told, "last4"),
        expires_month=_whole(told, "expires_month") if "expires_month" in told else None,
        expires_year=_whole(told, "expires_year") if "expires_year" in told else None,
    )


def _checks(order: Mapping[str, Any]) -> CardChecks | None:
    if "checks" not in order:
        return None
    told = _part(order, "checks")
    return CardChecks(
        **{name: CardCheck(CheckResult(each), str(each)) for name, each in told.items()}
    )


# --- Fields, each of which must have exactly one type -----------------------------------


def _text(row: Mapping[str, Any], name: str) -> str:
    text = _typed(row[name], name, str)
    if not text.isascii() or "\0" in text:
        # No store accepts these texts: UTF-8 raises a ValueError for a lone surrogate.
        text.encode()
        if "\0" in text:
            raise ValueError(f"{name} contains a NUL")
    return text


def _whole(row: Mapping[str, Any], name: str) -> int:
    return _typed(row[name], name, int)


def _flag(row: Mapping[str, Any], name: str) -> bool:
    return _typed(row[name], name, bool)


def _part(row: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", _typed(row[name], name, dict))


def _rows(row: Mapping[str, Any], name: str, *, needed: bool = True) -> list[Mapping[str, Any]]:
    value = row[name] if needed else row.get(name, [])
    rows = _typed(value, name, cast("type[list[Any]]", list))
    return [cast("Mapping[str, Any]", _typed(each, name, dict)) for each in rows]


def _money(row: Mapping[str, Any]) -> Money:
    return Money(_text(row, "currency"), _whole(row, "minor"))


def _instant(row: Mapping[str, Any], name: str) -> datetime | None:
    if name not in row:
        return None
    instant = datetime.fromisoformat(_text(row, name))
    if instant.tzinfo is None:
        raise ValueError(f"{name} has no time zone")
    return instant


def _typed(value: Any, name: str, wanted: type[T]) -> T:
    if type(value) is not wanted:
        raise TypeError(f"{name} is {type(value).__name__}, not {wanted.__name__}")
    return value
