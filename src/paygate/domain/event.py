"""Events: what happened, told to other systems at least once and in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

SCHEMA_VERSION: Final = 1
"""The version of the shape of event data; it grows when a field changes its meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to one aggregate (an invoice, a payment, a customer's credit).

    `seq` counts 1, 2, 3 … without gaps per aggregate, so a consumer can tell
    what it missed; `id` is the same on every delivery, so it can tell what it
    has seen. Amounts in `data` are minor units beside their currency.
    """

    id: str
    position: int
    type: str
    aggregate: str
    seq: int
    schema_version: int
    occurred_at: datetime
    actor: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """An event that was given up for a sink, and what kept it from being taken.

    It was set aside at `since`, and refused `tries` times; `error` is what was said the last
    time. `replay_dead_letters` lets the sink try again.
    """

    sink: str
    event: Event
    error: str
    tries: int
    since: datetime


EVENT_TYPES: Final[Mapping[str, str]] = {
    "invoice.generated": "An invoice was issued.",
    "invoice.voided": "An invoice was voided; money on it became credit.",
    "invoice.paid": "Nothing is open on an invoice any more.",
    "invoice.partially_paid": "Part of an invoice was paid.",
    "invoice.reopened": "Money was taken off an invoice; something is open again.",
    "invoice.written_off": "An open amount was given up.",
    "payment.started": "A payment was stored, before anything was sent.",
    "payment.unasked": "Money came for a payer's number, and became a payment of its own.",
    "payment.identified": "A person found out whose money it is that came for a payer's number.",
    "payment.requires_action": "The payer must follow a link, pay a slip or pay an address.",
    "payment.pending": "The gateway accepted a payment; its result comes later.",
    "payment.seen": "How much of a payment is seen on its way has changed; nothing came yet.",
    "payment.authorized": "An amount is held for us.",
    "payment.succeeded": "A payment brought its money.",
    "payment.declined": "The payer's bank or the processor's risk rules said no.",
    "payment.failed": "A payment ended without money, and not because of the payer's method.",
    "payment.canceled": "A payment was canceled before money moved.",
    "payment.expired": "A page, slip or authorisation ran out before money moved.",
    "payment.rest_released": "What was not captured of an authorisation is held no more.",
    "payment.settled": "All money of a payment reached us.",
    "payment.unsettled": "Money, in or out, has not settled in time; a person must look.",
    "payment.disputed": "The payer's bank disputes a payment; no money moved yet.",
    "payment.unknown": "We do not know how a payment ended; inquiries follow.",
    "payment.superseded": "Another payment took over what an abandoned page was to pay.",
    "payment.declined_try": "The payer's try on a page was declined; the page is still payable.",
    "payment.needs_review": "A person must look at a payment.",
    "payment.conflicted": "The money that came is not the money that was asked for.",
    "payment.same_reference": "Money was recorded under a reference that is in the books already.",
    "payment.refund_forced": "Money is sent back that the payer's bank can still return.",
    "payment.reviewed": "A person finished the review of a payment, and said why.",
    "payment.assigned": "A person decided where money goes that no rule could place.",
    "payment.resolved": "An operator said how a payment ended.",
    "payment.reversed": "A payment turned out not to be money and was reversed.",
    "payment.reversal_undone": "A person undid a reversal: the payment was money after all.",
    "payment.late_success": "Money arrived on a payment that had ended.",
    "payment.captured": "Part or all of an authorised amount was taken.",
    "payment.capture_failed": "A capture ended without money; the authorisation stands.",
    "payment.voided": "A payment was undone before it settled.",
    "payment.void_failed": "A payment could not be voided.",
    "payment.refunded": "Money of a payment was sent back.",
    "payment.refund_failed": "A refund did not reach the payer.",
    "payment.charged_back": "The payer's bank took money back.",
    "payment.chargeback_won": "A dispute ended in our favour; money that was taken comes back.",
    "payment.chargeback_lost": "A dispute ended against us; the money is gone.",
    "payment.alert": (
        "Something about a payment contradicts what we know, or was left undone at the processor."
    ),
    "method.requires_action": "The payer must do something before a method can be stored.",
    "method.stored": "A method of a customer was stored.",
    "method.renewed": "A method that was stored before was stored again: one record, renewed.",
    "method.changed": "A gateway has a new expiry, brand or number for a stored method.",
    "method.ended": "A stored method ended at its gateway, and is not charged any more.",
    "method.not_stored": "A method was not stored.",
    "method.unknown": "We do not know whether a method was stored, or deleted; we follow it up.",
    "method.default_set": "A customer's default method was chosen.",
    "method.forgotten": "A stored method is not charged any more; its gateway is to delete it.",
    "method.deleted": "The gateway deleted a stored method, and we its token.",
    "method.delete_failed": "The gateway did not delete a stored method; a person must.",
    "method.needs_review": "A person must look at how storing or deleting a method ended.",
    "payer_number.assigned": "Money for a payer's number is a customer's from now on.",
    "payer_number.released": "A payer's number is nobody's any more.",
    "ledger.sending_stopped": "Nothing is sent from this ledger until a person resumes it.",
    "ledger.sending_resumed": "A person said that this ledger has caught up and may send again.",
    "method.resolved": "An operator said how storing or deleting a method ended.",
    "callback.orphaned": "A callback names no operation of ours, and nobody will look again.",
    "callback.failed": "A callback could not be applied, however often it was tried.",
    "callback.dismissed": "A person saw that nothing is to be done about a callback, and said why.",
    "callback.conflicted": "An event was told again with other contents; a person must look.",
    "account.credentials_rejected": "A gateway rejects our credentials of an account.",
    "account.credentials_accepted": "A gateway that rejected our credentials accepts them again.",
    "feed.failing": "A feed has not been readable for an hour.",
    "feed.rescanned": "A person had a feed read again from another position.",
    "feed.recovered": "A feed that was failing was read to its end again.",
    "receipt.booked": "Money moved and was booked.",
    "receipt.settled": "Money of a receipt reached us, or its fee was told.",
    "credit.created": "A customer got credit.",
    "credit.used": "Credit of a customer was put on an invoice.",
    "credit.returned": "A use of credit was undone.",
    "credit.canceled": "Credit ceased to be, because the payment that made it was reversed.",
}
"""Every event type that this version emits, with its meaning."""
