"""Tags: a word or two about an invoice or payment, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.domain.payment import PaymentStatus
from paygate.web.portal.views import Tag
from paygate.web.texts import several, text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from paygate.domain.invoice import Invoice
    from paygate.domain.payment import Payment

_SOON: Final = 31
_NOTHING_CAME: Final = text("Not paid")
_BY_STATUS: Final[Mapping[PaymentStatus, Tag]] = {
    PaymentStatus.PROCESSING: Tag(text("On its way"), "doubt"),
    PaymentStatus.REQUIRES_ACTION: Tag(_NOTHING_CAME),
    PaymentStatus.AUTHORIZED: Tag(text("Reserved"), "doubt"),
    PaymentStatus.DECLINED: Tag(text("Declined"), "bad"),
    PaymentStatus.FAILED: Tag(_NOTHING_CAME),
    PaymentStatus.CANCELED: Tag(_NOTHING_CAME),
    PaymentStatus.EXPIRED: Tag(_NOTHING_CAME),
    PaymentStatus.UNKNOWN: Tag(text("Not known yet"), "doubt"),
}


def tag_of_invoice(invoice: Invoice, today: date) -> Tag | None:
    """Return whether an open invoice is being paid, disputed, overdue, or due within a month."""
    if is_being_paid(invoice):
        return Tag(text("Being paid"), "doubt")
    if invoice.disputed:
        return Tag(text("Disputed"), "doubt")
    days = (invoice.due - today).days
    if days < 0:
        return Tag(several("{n} day overdue", "{n} days overdue", -days), "bad")
    if not days:
        return Tag(text("Due today"))
    return Tag(several("Due in {n} day", "Due in {n} days", days)) if days <= _SOON else None


def is_being_paid(invoice: Invoice) -> bool:
    """Return whether a payment under way holds all that is open."""
    return invoice.claimed.minor > 0 and invoice.room.minor <= 0


def tag_of_payment(payment: Payment, *, taken: bool) -> Tag | None:
    """Return what is special about *payment*; *taken* says that the bank took its money back."""
    if payment.needs_review and payment.status is PaymentStatus.UNKNOWN:
        return Tag(text("Being checked"), "doubt")
    if taken or payment.reversed:
        return Tag(text("Returned"), "bad")
    if payment.returned.minor:
        return Tag(text("Refunded"))
    if payment.received.minor or payment.status is PaymentStatus.SUCCEEDED:
        return None
    return _BY_STATUS[payment.status]
