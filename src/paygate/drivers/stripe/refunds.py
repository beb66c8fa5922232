"""Refunds: money sent back, which may fail days after it was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from paygate.driver import (
    Approved,
    BadResponse,
    DeclineCode,
    Declined,
    Ended,
    Ending,
    Movement,
    MovementKind,
    NotFound,
    Pending,
    Unknown,
    Unsupported,
)
from paygate.drivers.stripe import codes
from paygate.drivers.stripe.codes import AMOUNTS
from paygate.drivers.stripe.messages import (
    ID,
    METADATA_MAX,
    PAGE,
    expect_ok,
    get,
    instant,
    must_look,
    named,
    our_ids,
    post,
    read_id,
    read_object,
    read_page,
    refusal,
    scanned,
    text,
    whole,
)
from paygate.drivers.stripe.wire import Elsewhere, seen

if TYPE_CHECKING:
    from paygate.driver import Form, Inquiry, Money, Outcome, Refunding, Request, Response
    from paygate.drivers.stripe.settings import StripeSettings


def is_refund(reference: str) -> bool:
    """Tell a refund from the charge that it takes back by its id."""
    return not reference.startswith(("ch_", "py_", "pi_"))


# --- Make one ------------------------------------------------------------------------------


def about(refunding: Refunding) -> str:
    """Name the charge, or else the intent, that the money came by."""
    found = of_payment(refunding.movement_id, refunding.reference)
    if not found:
        raise Unsupported("Stripe sends back a charge (ch_…) or a PaymentIntent (pi_…)")
    return found


def of_payment(movement: str, reference: str) -> str:
    """Return which of the two names a charge or an intent; empty if none does."""
    for named_by in (movement, reference):
        if not is_refund(named_by) and ID.fullmatch(named_by):
            return named_by
    return ""


def build_refund(settings: StripeSettings, refunding: Refunding) -> Request:
    """Send an amount back."""
    form: Form = [
        _within(about(refunding)),
        ("amount", str(AMOUNTS.whole(refunding.amount))),
        *our_ids(refunding.payment, refunding.our_ref),
    ]
    if refunding.reason in codes.REFUND_REASONS:
        form.append(("reason", refunding.reason))
    elif refunding.reason:
        form.append(("metadata[paygate_reason]", refunding.reason[:METADATA_MAX]))
    return post(settings, "/v1/refunds", form, key=refunding.key, step="refund", moves_money=True)


def parse_refund(
    settings: StripeSettings, refunding: Refunding, response: Response
) -> Outcome | Elsewhere:
    """Read what became of the refund."""
    if response.status != 200:
        refused = refusal(settings, response, money_may_move=True)
        return seen(refused, look=must_look(refused))
    return outcome_of(settings, response.json_object(), refunding.amount)


def _within(charge_or_intent: str) -> tuple[str, str]:
    by_intent = charge_or_intent.startswith("pi_")
    return ("payment_intent" if by_intent else "charge", charge_or_intent)


# --- Find one ------------------------------------------------------------------------------


def build_get(settings: StripeSettings, reference: str) -> Request:
    """Ask for one refund."""
    return get(settings, f"/v1/refunds/{named(reference)}", step="look_up")


def parse_get(
    settings: StripeSettings, asked: Money, reference: str, response: Response
) -> Outcome:
    """Read the state of one refund."""
    return outcome_of(settings, expect_ok(response), asked, reference)


def build_list(settings: StripeSettings, charge_or_intent: str, after: str) -> Request:
    """Ask for the refunds of one charge, after the refund *after*."""
    query: Form = [_within(named(charge_or_intent)), ("limit", str(PAGE))]
    if after:
        query.append(("starting_after", after))
    return get(settings, f"/v1/refunds?{urlencode(query)}", step="list")


def build_scan(settings: StripeSettings, inquiry: Inquiry, after: str) -> Request:
    """Ask for the refunds of the time of *inquiry*, after the refund *after*."""
    return get(settings, f"/v1/refunds?{urlencode(scanned(inquiry, after))}", step="scan")


def parse_list(response: Response) -> tuple[list[dict[str, Any]], str]:
    """Read a page of refunds."""
    entries, last = read_page(response)
    refunds = [cast("dict[str, Any]", entry) for entry in entries if isinstance(entry, dict)]
    if len(refunds) != len(entries):
        raise BadResponse("Stripe lists as a refund what is none")
    return refunds, last


def find(
    settings: StripeSettings, asked: Money, our_ref: str, refunds: list[dict[str, Any]]
) -> Outcome | NotFound:
    """Tell the outcome of the refund that carries our reference."""
    for refund in refunds:
        if text(refund, "metadata", "paygate_attempt") == our_ref:
            return outcome_of(settings, refund, asked)
    return NotFound()


# --- What its state means ---------------------------------------------------------------------


def outcome_of(
    settings: StripeSettings, refund: dict[str, Any], asked: Money, reference: str = ""
) -> Outcome:
    """Tell what the state of a refund means for the one that asked for it."""
    identity = read_object(settings, refund, "refund", reference)
    if read_amount(refund) != asked:
        raise BadResponse("Stripe sends back another amount or currency than was asked for")
    match text(refund, "status"):
        case "succeeded":
            return Approved(reference=identity, movements=(_sent_back(refund, identity),))
        case "pending" | "requires_action":
            # The payer may have to say where to; Stripe asks by itself, by e-mail.
            return Pending(reference=identity)
        case "failed":
            why = text(refund, "failure_reason")
            code, retryable = codes.REFUND_FAILURES.get(why, (DeclineCode.GENERIC, False))
            return Declined(
                code=code,
                raw_code=why or "failed",
                retryable=retryable,
                message="the money could not be sent back and is with Stripe again",
                reference=identity,
            )
        case "canceled":
            return Ended(how=Ending.CANCELED, reference=identity)
        case status:
            return Unknown(reason=f"Stripe says {status[:40]!r} of a refund", reference=identity)


def movements_of(refund: dict[str, Any], *, failed_later: bool = False) -> tuple[Movement, ...]:
    """
    Tell the money that a refund moved, for one that we may not have made.

    A refund that failed after it had been sent moved money out and in again; both are
    told, so that the books agree whichever of the two they had seen before.
    """
    identity = text(refund, "id")
    match text(refund, "status"):
        case "succeeded":
            return (_sent_back(refund, identity),)
        case "failed" if failed_later or read_id(refund, "failure_balance_transaction"):
            sent_back = _sent_back(refund, identity)
            returned = Movement(
                movement_id=identity,
                amount=sent_back.amount,
                kind=MovementKind.REFUND_FAILED,
                undoes=identity,
                code=text(refund, "failure_reason"),
            )
            return (sent_back, returned)
        case _:
            return ()


def _sent_back(refund: dict[str, Any], identity: str) -> Movement:
    if not ID.fullmatch(identity):
        raise BadResponse("Stripe tells of a refund without its id")
    return Movement(
        movement_id=identity,
        amount=read_amount(refund),
        kind=MovementKind.REFUND,
        effective=instant(refund, "created"),
        undoes=read_id(refund, "charge") or None,
    )


def read_amount(told: object) -> Money:
    """Read the amount of a refund or dispute, or raise `BadResponse`."""
    currency = text(told, "currency").upper()
    if currency not in AMOUNTS.currencies:
        raise BadResponse("Stripe names a currency that it is not known to use")
    money = AMOUNTS.of_whole(currency, whole(told, "amount"))
    if not money.minor:
        raise BadResponse("Stripe says that money moved, and that it is none")
    return money
