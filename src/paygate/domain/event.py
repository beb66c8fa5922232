"""Events: what happened, delivered to other systems at least once and in order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

SCHEMA_VERSION: Final = 1
"""The version of the shape of event data; it is increased when a field changes its meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to one aggregate: an invoice, a payment, a customer's credit.

    `seq` counts 1, 2, 3 … without gaps per aggregate, so that a consumer notices
    what it missed; `id` is the same on every delivery, so that it recognizes what it
    has seen. Amounts in `data` are minor units next to their currency.
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

    def as_json(self) -> dict[str, Any]:
        """Return the event as JSON, as its schema in ``paygate/event_schemas`` describes it."""
        return {
            "id": self.id,
            "position": self.position,
            "type": self.type,
            "aggregate": self.aggregate,
            "seq": self.seq,
            "schema_version": self.schema_version,
            "occurred_at": self.occurred_at.isoformat(),
            "actor": self.actor,
            "data": dict(self.data),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """An event that a sink has refused finally, with the reason.

    It was set aside at `since`, after the sink had refused it `tries` times; `error` is the last
    reason given. `replay_dead_letters` lets the sink try again.
    """

    sink: str
    event: Event
    error: str
    tries: int
    since: datetime


class DeliveryOutcome(StrEnum):
    """What came of one try to deliver an event."""

    DELIVERED = "delivered"
    """The other side has it."""
    REFUSED = "refused"
    """The other side refused it."""
    UNREACHED = "unreached"
    """The other side was not reached, or said that it is down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryTry:
    """One try to deliver an event to a sink, as the delivery log has it.

    It began at `at` and took `took_ms` milliseconds. `status` is that of the last answer over HTTP,
    if there was one, and `error` the reason if the event was not delivered. `event` is its id.
    """

    id: str
    sink: str
    event: str
    type: str
    aggregate: str
    at: datetime
    took_ms: int
    outcome: DeliveryOutcome
    status: int | None
    error: str


EVENT_TYPES: Final[Mapping[str, str]] = {
    "invoice.drafted": "A draft of an invoice was made, which nobody owes yet.",
    "invoice.draft_changed": "A draft of an invoice was changed.",
    "invoice.finalized": "A draft got its number; invoice.generated follows.",
    "invoice.generated": "An invoice was issued.",
    "invoice.voided": "An invoice was voided; money on it became credit.",
    "invoice.paid": "An invoice has nothing open any more.",
    "invoice.partially_paid": "Part of an invoice was paid.",
    "invoice.reopened": "Money was taken off an invoice; part of it is open again.",
    "invoice.written_off": "An open amount was written off.",
    "prepayment.created": "A prepayment was made, which a customer can pay before the invoice.",
    "prepayment.partially_paid": "Part of a prepayment was paid.",
    "prepayment.paid": "Money came on a prepayment, and nothing of it is to be paid any more.",
    "prepayment.assigned": "An invoice took money of a prepayment with its key.",
    "prepayment.replaced": "An invoice took the place of a prepayment; its unpaid rest is closed.",
    "prepayment.balanced": "All money of a prepayment is on invoices, or is credit.",
    "prepayment.reopened": "Money was taken off a prepayment, or its invoice was voided.",
    "prepayment.closed": "A prepayment was closed; its money became credit.",
    "link.created": "A payment link was made.",
    "link.used": "Nothing is open on a payment link, or it was paid as often as it can be.",
    "link.activated": "A payment link can be paid again, because money went back.",
    "link.moved": "An invoice replaced the prepayment of a link, which leads to the invoice now.",
    "link.revoked": "A payment link was revoked, or its prepayment was closed.",
    "link.reissued": "A payment link got another address; the earlier one leads nowhere.",
    "link.expired": "The time of a payment link has passed.",
    "assignment.conflict": "The assignment key of another customer was refused.",
    "payment.started": "A payment was stored, before anything was sent.",
    "payment.unasked": "Money arrived for a payer number, and became a payment of its own.",
    "payment.identified": "A clerk found out whose the money is that arrived for a payer number.",
    "payment.requires_action": "The payer must follow a link, pay a slip or pay an address.",
    "payment.pending": "The gateway accepted a payment; its result comes later.",
    "payment.seen": "The amount seen on its way for a payment changed; nothing has arrived yet.",
    "payment.authorized": "An amount is held for us.",
    "payment.succeeded": "The money of a payment arrived.",
    "payment.declined": "The payer's bank or the processor's risk rules said no.",
    "payment.failed": "A payment ended without money, but not because of the payer's method.",
    "payment.canceled": "A payment was canceled before money moved.",
    "payment.expired": "A page, slip or authorization expired before money moved.",
    "payment.rest_released": "The part of an authorization that was not captured was released.",
    "payment.settled": "All money of a payment reached us.",
    "payment.unsettled": "Money, in or out, has not settled in time; it needs manual review.",
    "payment.disputed": "The payer's bank disputes a payment; no money has moved yet.",
    "payment.unknown": "The outcome of a payment is not known; inquiries follow.",
    "payment.superseded": "Another payment replaced the one of an abandoned page.",
    "payment.declined_try": "A payer's attempt on a page was declined; the page is still payable.",
    "payment.needs_review": "A payment was flagged for manual review.",
    "payment.conflicted": "The money that arrived is not the money that was requested.",
    "payment.same_reference": "Money was recorded with a reference that is already in the books.",
    "payment.refund_forced": "Money is sent back that the payer's bank can still return.",
    "payment.reviewed": "A clerk finished the review of a payment, with a reason.",
    "payment.assigned": "A clerk decided where money goes that no rule could place.",
    "payment.resolved": "An operator recorded the outcome of a payment.",
    "payment.reversed": "A payment turned out not to be money and was reversed.",
    "payment.reversal_undone": "A clerk undid a reversal: the money had arrived after all.",
    "payment.late_success": "Money arrived on a payment that had ended.",
    "payment.captured": "Part or all of an authorized amount was captured.",
    "payment.capture_failed": "A capture ended without money; the authorization is still valid.",
    "payment.voided": "A payment was voided before it settled.",
    "payment.void_failed": "A payment could not be voided.",
    "payment.refunded": "Money of a payment was sent back.",
    "payment.refund_failed": "A refund did not reach the payer.",
    "payment.charged_back": "The payer's bank took money back.",
    "payment.chargeback_won": "A dispute was decided in our favor; money that was taken returns.",
    "payment.chargeback_lost": "A dispute was decided against us; the money is gone.",
    "payment.alert": (
        "Something about a payment contradicts what we know, or was left undone at the processor."
    ),
    "method.requires_action": "The payer must do something before a method can be stored.",
    "method.stored": "A method of a customer was stored.",
    "method.renewed": "A method that was already stored was stored again: one record, renewed.",
    "method.changed": "A gateway has a new expiry, brand or number for a stored method.",
    "method.ended": "A stored method ended at its gateway, and is not charged any more.",
    "method.not_stored": "A method was not stored.",
    "method.unknown": "It is not known whether a method was stored, or deleted; inquiries follow.",
    "method.default_set": "A customer's default method was chosen.",
    "method.forgotten": "A stored method is not charged any more; its gateway is to delete it.",
    "method.deleted": "A stored method was deleted at its gateway, if that deletes any, and its "
    "token here.",
    "method.delete_failed": "The gateway did not delete a stored method; delete it by hand.",
    "method.blocked": "A failure blocked a stored method: it is not charged automatically.",
    "method.expiring": "A stored card with a mandate expires within 30 or 7 days.",
    "autopay.subscribed": "A customer agreed to automatic payment.",
    "autopay.unsubscribed": "A customer's automatic payment ended.",
    "autopay.paused": "A customer's automatic payment was paused.",
    "autopay.resumed": "A customer's automatic payment was resumed.",
    "autopay.announced": "The amount and day of an automatic charge are announced to its payer.",
    "autopay.retry_scheduled": "An automatic charge failed, and is tried again on a later day.",
    "autopay.given_up": "An automatic charge failed, and is not tried again.",
    "autopay.no_method": "An invoice is due, and no stored method can be charged for it.",
    "invoice.overdue": "The due date of an invoice has passed, and it is not paid.",
    "customer.warned": "A customer who owes money late is reminded.",
    "customer.limited": "A customer who owes money late gets less service.",
    "customer.suspended": "A customer who owes money late gets no service.",
    "customer.terminated": "The contract of a customer who owes money late has ended.",
    "customer.restored": "A customer owes nothing late any more, or was reinstated.",
    "promise.made": "A customer promised to pay by a day.",
    "promise.kept": "A customer paid by the day that they promised.",
    "promise.broken": "A customer did not pay by the day that they promised.",
    "commitment.created": "A customer agreed to something for a term.",
    "commitment.ended": "The term of a commitment is over.",
    "commitment.terminated": "A commitment ended before its term.",
    "notice.due": "A customer is to get a message; the event has all facts that it needs.",
    "method.needs_review": "Storing or deleting a method was flagged for manual review.",
    "statement.imported": "A bank statement was imported.",
    "statement.mismatch": "The balances of a bank statement differ from its entries.",
    "statement.gap": "A bank statement does not begin with the balance of the one before.",
    "statement.changed": "The bank sent a statement again, with other entries.",
    "bank_line.explained": "A line of a bank account is explained.",
    "bank_line.ignored": "A clerk decided that a line of a bank account concerns no customer.",
    "bank_line.reopened": "What explained a line of a bank account was undone.",
    "payer_number.assigned": "Money for a payer number is a customer's from now on.",
    "payer_number.released": "A payer number does not belong to a customer any more.",
    "ledger.sending_stopped": "Nothing is sent from this ledger until an operator resumes it.",
    "ledger.sending_resumed": "An operator confirmed that this ledger has caught up and may send.",
    "method.resolved": "An operator recorded the outcome of storing or deleting a method.",
    "callback.orphaned": "A callback names no operation of ours, and is not retried any more.",
    "callback.failed": "A callback could not be applied, however often it was retried.",
    "callback.dismissed": "A clerk recorded that nothing is to be done about a callback, and why.",
    "callback.conflicted": "An event was reported again with other contents; review it.",
    "account.credentials_rejected": "A gateway rejects our credentials of an account.",
    "account.credentials_accepted": "A gateway that rejected our credentials accepts them again.",
    "account.added": "The settings of a gateway account were stored in the ledger, encrypted.",
    "account.rotated": "Settings of a stored account were replaced, such as its credentials.",
    "account.disabled": "A stored account takes no new payments.",
    "account.enabled": "A stored account takes new payments again.",
    "feed.failing": "A feed has not been readable for an hour.",
    "feed.rescanned": "An operator had a feed read again from another position.",
    "feed.recovered": "A feed that was failing was read to its end again.",
    "sink.stopped": "The system behind a sink wants no more events; somebody must resume it.",
    "sink.resumed": "An operator resumed a sink that was stopped.",
    "receipt.booked": "Money moved and was booked.",
    "receipt.settled": "Money of a receipt reached us, or its fee was reported.",
    "credit.created": "A customer got credit.",
    "credit.used": "Credit of a customer was put on an invoice.",
    "credit.returned": "A use of credit was undone.",
    "credit.canceled": "Credit was canceled, because the payment that created it was reversed.",
}
"""Every event type that this version emits, with its meaning."""
