"""Refunds: money sent back, which may fail days after it was sent.

The charge that a refund belongs to is noted before the refund is sent, and the refund is found
among those of the charge by our reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate import driver
from paygate.driver import filled, read_pages
from paygate.drivers.stripe import codes, intents, wire
from paygate.drivers.stripe.codes import AMOUNTS, ID

if TYPE_CHECKING:
    from paygate.driver import Dialogue, Fields, Finding, Money, Movement, Outcome, Refunding
    from paygate.drivers.stripe.wire import Api


# --- Make one -------------------------------------------------------------------------


def about(refunding: Refunding) -> str:
    """Return the charge or intent by which the money came, or raise `Unsupported`."""
    found = _of_payment(refunding.movement_id, refunding.reference)
    if not found:
        raise driver.Unsupported("Stripe refunds a charge (ch_…) or a PaymentIntent (pi_…)")
    AMOUNTS.whole(refunding.amount)
    return found


def _of_payment(*references: str) -> str:
    """Return the first reference that names a charge or an intent; empty if none does."""
    return next((each for each in references if ID.fullmatch(each) and not _is_refund(each)), "")


def _is_refund(reference: str) -> bool:
    """Return whether *reference* names a refund rather than its payment."""
    return not reference.startswith(("ch_", "py_", "pi_"))


def _within(charge_or_intent: str) -> dict[str, str]:
    by_intent = charge_or_intent.startswith("pi_")
    return {"payment_intent" if by_intent else "charge": charge_or_intent}


def refund(api: Api, refunding: Refunding, of: str) -> Dialogue[Outcome]:
    """Send back an amount of the charge or intent *of*."""
    asked, reason = refunding.amount, refunding.reason[: wire.METADATA_MAX]
    known = refunding.reason in codes.REFUND_REASONS
    form: driver.Members = {
        **_within(of),
        "amount": str(AMOUNTS.whole(asked)),
        "reason": reason if known else "",
        "reverse_transfer": "true" if api.settings.refunds_reverse_transfers else "",
        "metadata": {
            **wire.our_ids(refunding.payment, refunding.our_ref),
            "paygate_reason": "" if known else reason,
        },
    }

    def look(_: object) -> Dialogue[Finding]:
        made = yield from listed_of(api, of)
        return _find_in(api, made, asked, refunding.our_ref)

    yield driver.Note(of)
    response = yield api.post("refunds", form, key=refunding.key, step="refund", moves_money=True)
    return (
        yield from api.settle(
            response, lambda found, _: _outcome_of(api, found, asked), look, moves_money=True
        )
    )


# --- Find one -------------------------------------------------------------------------


def find(api: Api, inquiry: driver.Inquiry) -> Dialogue[Finding]:
    """Find a refund by its id, among those of its payment, or else among those of the time."""
    reference, our_ref = inquiry.reference, inquiry.our_ref
    if reference and _is_refund(reference):
        found = yield from api.ask(f"refunds/{wire.named(reference)}", step="look_up")
        return _outcome_of(api, found, inquiry.amount, reference)
    of = reference or _of_payment(inquiry.movement_id, inquiry.parent_reference)
    if of:
        made = yield from listed_of(api, of)
        return _find_in(api, made, inquiry.amount, our_ref)
    listing = yield from read_pages(
        "",
        lambda after: api.get("refunds", filled(wire.scanned(inquiry, after)), step="scan"),
        _refunds_in,
        until=lambda each: each.text(wire.OURS, "") == our_ref,
    )
    if not listing.complete:
        return driver.Unknown(reason="too many refunds of that hour to find this one among them")
    return _find_in(api, listing.entries, inquiry.amount, our_ref)


def listed_of(api: Api, charge_or_intent: str) -> Dialogue[list[Fields]]:
    """Return the refunds of one charge or intent."""
    of = {**_within(wire.named(charge_or_intent)), "limit": str(wire.PAGE)}
    listing = yield from read_pages(
        "",
        lambda after: api.get("refunds", filled({**of, "starting_after": after}), step="list"),
        _refunds_in,
    )
    return listing.entries


def _refunds_in(response: driver.Response) -> tuple[list[Fields], str | None]:
    refunds, last = wire.read_page(wire.expect_ok(response))
    if not all(refunds):
        raise driver.BadResponse("Stripe lists something else as a refund")
    return refunds, last


def _find_in(api: Api, refunds: list[Fields], asked: Money, our_ref: str) -> Finding:
    """Return the outcome of the refund that carries our reference."""
    ours = (each for each in refunds if each.text(wire.OURS, "") == our_ref)
    found = next(ours, None)
    return driver.NotFound() if found is None else _outcome_of(api, found, asked)


# --- What its state means -------------------------------------------------------------


def _outcome_of(api: Api, refund: Fields, asked: Money, reference: str = "") -> Outcome:
    """Return what the state of a refund means for the operation that asked for it."""
    identity = api.identify(refund, "refund", reference)
    if read_amount(refund) != asked:
        raise driver.BadResponse("Stripe refunds another amount or currency than was asked for")
    match refund.text("status", ""):
        case "succeeded":
            return driver.Approved(reference=identity, movements=(_sent_back(refund),))
        case "pending" | "requires_action":
            # The payer may have to say where to send it; Stripe asks them by e-mail.
            return driver.Pending(reference=identity)
        case "failed":
            why = refund.text("failure_reason", "")
            code, retryable = codes.REFUND_FAILURES.get(why, (driver.DeclineCode.GENERIC, False))
            return driver.Declined(
                code=code,
                raw_code=why or "failed",
                retryable=retryable,
                message="the money could not be sent back and is at Stripe again",
                reference=identity,
            )
        case "canceled":
            return driver.Ended(how=driver.Ending.CANCELED, reference=identity)
        case status:
            return intents.new_state(status, identity, " of a refund")


def movements_of(refund: Fields, *, failed_later: bool = False) -> tuple[Movement, ...]:
    """
    Return the money that a refund moved, which may have been made elsewhere.

    A refund that failed after it was sent moved money out and in again. Both movements are
    returned, so that the books agree whichever of them they have.
    """
    match refund.text("status", ""):
        case "succeeded":
            return (_sent_back(refund),)
        case "failed" if failed_later or wire.read_id(refund, "failure_balance_transaction"):
            sent_back = _sent_back(refund)
            returned = driver.Movement(
                movement_id=sent_back.movement_id,
                amount=sent_back.amount,
                kind=driver.MovementKind.REFUND_FAILED,
                undoes=sent_back.movement_id,
                code=refund.text("failure_reason", ""),
            )
            return (sent_back, returned)
        case _:
            return ()


def _sent_back(refund: Fields) -> Movement:
    return driver.Movement(
        movement_id=refund.id("id", pattern=ID),
        amount=read_amount(refund),
        kind=driver.MovementKind.REFUND,
        effective=refund.instant("created", None),
        undoes=wire.read_id(refund, "charge") or None,
    )


def read_amount(found: Fields, currency: str = "", amount: int | None = None) -> Money:
    """Return the amount of a refund or dispute, or raise `BadResponse`."""
    money = AMOUNTS.of_whole(
        (currency or found.text("currency", "")).upper(),
        found.whole("amount") if amount is None else amount,
    )
    if not money.minor:
        raise driver.BadResponse("Stripe says that money moved, with an amount of 0")
    return money
