"""Refunds: money of a capture that is sent back, which may fail later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate import driver
from paygate.drivers.paypal import orders, wire
from paygate.drivers.paypal.codes import AMOUNTS, ID

if TYPE_CHECKING:
    from paygate.driver import Dialogue, Fields, Finding, Inquiry, Outcome, Refunding
    from paygate.drivers.paypal.wire import Api

CAPTURES: Final = "/v2/payments/captures"
REFUNDS: Final = "/v2/payments/refunds"


def check(refunding: Refunding) -> None:
    """Raise `Unsupported` for what cannot be refunded at PayPal."""
    AMOUNTS.whole(refunding.amount)
    if not ID.fullmatch(refunding.movement_id):
        raise driver.Unsupported("PayPal refunds a capture, and the payment has none")


def refund(api: Api, refunding: Refunding) -> Dialogue[Outcome]:
    """Send back an amount of a capture."""
    reference, our_ref = refunding.reference, refunding.our_ref
    ids = wire.our_ids(refunding.payment, our_ref)
    body = {"amount": wire.money(refunding.amount), "custom_id": ids, "invoice_id": our_ref}
    yield driver.Note(reference)
    response = yield api.post(
        f"{CAPTURES}/{wire.named(refunding.movement_id)}/refund",
        body,
        key=refunding.key,
        step="refund",
        moves_money=True,
    )
    return (
        yield from api.settle(response, outcome_of, lambda: _among(api, reference, ids), reference)
    )


def find(api: Api, inquiry: Inquiry) -> Dialogue[Finding]:
    """Find a refund by its id, or among those of its order."""
    reference, of = inquiry.reference, inquiry.parent_reference
    if reference and reference != of:
        booked = inquiry.booked
        return api.find(
            f"{REFUNDS}/{wire.named(reference)}", lambda found: outcome_of(found, booked)
        )
    return _among(api, of, wire.our_ids(inquiry.payment, inquiry.our_ref))


def _among(api: Api, reference: str, ids: str) -> Dialogue[Finding]:
    """Find the refund with our ids among those of an order."""

    def read(order: Fields) -> Finding:
        order.expect(id=reference)
        ours = (
            each for each in orders.payments_of(order, "refunds") if each.value("custom_id") == ids
        )
        found = next(ours, None)
        return driver.NotFound() if found is None else outcome_of(found)

    return api.find(orders.path_of(reference), read)


def outcome_of(
    found: Fields, booked: frozenset[tuple[driver.MovementKind, str]] = frozenset()
) -> Outcome:
    """Return what the state of a refund means for the operation that asked for it."""
    identity = found.id("id", pattern=ID)
    match found.text("status"):
        case "COMPLETED":
            return driver.Approved(reference=identity, movements=(orders.sent_back(found),))
        case "PENDING":
            return driver.Pending(reference=identity)
        case "FAILED" | "CANCELLED" as status:
            if (driver.MovementKind.REFUND, identity) in booked:
                moved = (orders.sent_back(found), orders.came_back(found))
                return driver.Approved(reference=identity, movements=moved)
            return driver.Declined(
                code=driver.DeclineCode.GENERIC,
                raw_code=found.text("status_details.reason", status),
                retryable=False,
                message="the money could not be sent back and is at PayPal again",
                reference=identity,
            )
        case status:
            raise driver.BadResponse(f"PayPal reports a refund as {status[:40]!r}, a new status")
