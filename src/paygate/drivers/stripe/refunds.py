"""Refunds: money sent back, which may fail days after it was sent.

A refund notes the charge that it is of before it is sent, and is found among those of the charge
under our reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.driver import (
    Approved,
    BadResponse,
    DeclineCode,
    Declined,
    Ended,
    Ending,
    Movement,
    MovementKind,
    Note,
    NotFound,
    Pending,
    Unknown,
    Unsupported,
    filled,
    read_pages,
)
from paygate.drivers.stripe import codes, wire
from paygate.drivers.stripe.codes import AMOUNTS, ID

if TYPE_CHECKING:
    from paygate.driver import (
        Dialogue,
        Fields,
        Finding,
        Form,
        Inquiry,
        Money,
        Outcome,
        Refunding,
        Response,
    )
    from paygate.drivers.stripe.wire import Api


# --- Make one -------------------------------------------------------------------------


def about(refunding: Refunding) -> str:
    """Return the charge, or else the intent, that the money came by, or raise `Unsupported`."""
    found = _of_payment(refunding.movement_id, refunding.reference)
    if not found:
        raise Unsupported("Stripe sends back a charge (ch_…) or a PaymentIntent (pi_…)")
    AMOUNTS.whole(refunding.amount)
    return found


def _of_payment(movement: str, reference: str) -> str:
    """Return which of the two names a charge or an intent; empty if neither does."""
    for named_by in (movement, reference):
        if not _is_refund(named_by) and ID.fullmatch(named_by):
            return named_by
    return ""


def _is_refund(reference: str) -> bool:
    """Return whether *reference* is of a refund, and not of the charge that it takes back."""
    return not reference.startswith(("ch_", "py_", "pi_"))


def _within(charge_or_intent: str) -> tuple[str, str]:
    by_intent = charge_or_intent.startswith("pi_")
    return ("payment_intent" if by_intent else "charge", charge_or_intent)


def refund(api: Api, refunding: Refunding, of: str) -> Dialogue[Outcome]:
    """Send an amount of the charge or intent *of* back."""
    known = refunding.reason in codes.REFUND_REASONS
    name = "reason" if known else "metadata[paygate_reason]"
    form: Form = [
        _within(of),
        ("amount", str(AMOUNTS.whole(refunding.amount))),
        *wire.our_ids(refunding.payment, refunding.our_ref),
        *filled({name: refunding.reason[: wire.METADATA_MAX]}),
    ]

    def look(_: object) -> Dialogue[Finding]:
        made = yield from listed_of(api, of)
        return _find_in(api, made, refunding.amount, refunding.our_ref)

    yield Note(of)
    response = yield api.post("refunds", form, key=refunding.key, step="refund", moves_money=True)
    return (
        yield from api.settle(
            response,
            lambda told, _: _outcome_of(api, told, refunding.amount),
            look,
            left="",
            moves_money=True,
        )
    )


# --- Find one -------------------------------------------------------------------------


def find(api: Api, inquiry: Inquiry) -> Dialogue[Finding]:
    """Find a refund by its id, among those of its payment, or else among those of the time."""
    reference = inquiry.reference
    if reference and _is_refund(reference):
        told = yield from api.ask(f"refunds/{wire.named(reference)}", step="look_up")
        return _outcome_of(api, told, inquiry.amount, reference)
    of = reference or _of_payment(inquiry.movement_id, inquiry.parent_reference)
    if of:
        made = yield from listed_of(api, of)
        return _find_in(api, made, inquiry.amount, inquiry.our_ref)
    listing = yield from read_pages(
        "",
        lambda after: api.get("refunds", wire.scanned(inquiry, after), step="scan"),
        _refunds_in,
        until=lambda each: each.text(wire.OURS, "") == inquiry.our_ref,
    )
    if not listing.complete:
        return Unknown(reason="too many refunds of that hour to find this one among them")
    return _find_in(api, listing.entries, inquiry.amount, inquiry.our_ref)


def listed_of(api: Api, charge_or_intent: str) -> Dialogue[list[Fields]]:
    """Return the refunds of one charge or intent."""
    query = [_within(wire.named(charge_or_intent)), ("limit", str(wire.PAGE))]
    listing = yield from read_pages(
        "",
        lambda after: api.get("refunds", [*query, *filled({"starting_after": after})], step="list"),
        _refunds_in,
    )
    return listing.entries


def _refunds_in(response: Response) -> tuple[list[Fields], str | None]:
    refunds, last = wire.read_page(wire.expect_ok(response))
    if not all(refunds):
        raise BadResponse("Stripe lists something else as a refund")
    return refunds, last


def _find_in(api: Api, refunds: list[Fields], asked: Money, our_ref: str) -> Finding:
    """Return the outcome of the refund that carries our reference."""
    for each in refunds:
        if each.text(wire.OURS, "") == our_ref:
            return _outcome_of(api, each, asked)
    return NotFound()


# --- What its state means -------------------------------------------------------------


def _outcome_of(api: Api, refund: Fields, asked: Money, reference: str = "") -> Outcome:
    """Return what the state of a refund means for the one that asked for it."""
    identity = api.identify(refund, "refund", reference)
    if read_amount(refund) != asked:
        raise BadResponse("Stripe sends back another amount or currency than was asked for")
    match refund.text("status", ""):
        case "succeeded":
            return Approved(reference=identity, movements=(_sent_back(refund),))
        case "pending" | "requires_action":
            # The payer may have to say where to; Stripe asks by itself, by e-mail.
            return Pending(reference=identity)
        case "failed":
            why = refund.text("failure_reason", "")
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


def movements_of(refund: Fields, *, failed_later: bool = False) -> tuple[Movement, ...]:
    """
    Return the money that a refund moved, for one that we may not have made.

    A refund that failed after it had been sent moved money out and in again; both are
    told, so that the books agree whichever of the two they had seen before.
    """
    match refund.text("status", ""):
        case "succeeded":
            return (_sent_back(refund),)
        case "failed" if failed_later or wire.read_id(refund, "failure_balance_transaction"):
            sent_back = _sent_back(refund)
            returned = Movement(
                movement_id=sent_back.movement_id,
                amount=sent_back.amount,
                kind=MovementKind.REFUND_FAILED,
                undoes=sent_back.movement_id,
                code=refund.text("failure_reason", ""),
            )
            return (sent_back, returned)
        case _:
            return ()


def _sent_back(refund: Fields) -> Movement:
    return Movement(
        movement_id=refund.id("id", pattern=ID),
        amount=read_amount(refund),
        kind=MovementKind.REFUND,
        effective=refund.instant("created", None),
        undoes=wire.read_id(refund, "charge") or None,
    )


def read_amount(told: Fields, currency: str = "", amount: int | None = None) -> Money:
    """Return the amount of a refund or dispute, or raise `BadResponse`."""
    money = AMOUNTS.of_whole(
        (currency or told.text("currency", "")).upper(),
        told.whole("amount") if amount is None else amount,
    )
    if not money.minor:
        raise BadResponse("Stripe says that money moved, and that it is none")
    return money
