"""Money that is received or sent back by hand: checks, cash, transfers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnLedger
from paygate.cashier.verbs import verb
from paygate.domain.text import note, optional

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from paygate.domain.customer import Customer
    from paygate.domain.kind import Kind
    from paygate.domain.money import Money
    from paygate.domain.payable import Payable
    from paygate.domain.payment import Payment
    from paygate.domain.receipt import Receipt
    from paygate.domain.words import RecordedBy, RefundToWord, SentBackBy
    from paygate.service.flow import Flow
    from paygate.service.taking import RefundTo


class ByHand(OnLedger):
    """Verbs that record what was done by hand."""

    @verb
    def record(
        self,
        items: Sequence[Payable] | Payable,
        *,
        by: Kind | RecordedBy,
        key: str,
        amount: Money | None = None,
        reference: str = "",
        on: date | str | None = None,
        customer: Customer | str | None = None,
        payer: Customer | None = None,
    ) -> Flow[Payment]:
        """
        Record money received by hand, *by* check, cash, transfer or terminal.

        Without *amount*, it is all that is open. What exceeds the open amount becomes
        credit; without invoices (and with *customer*) all of it does. Money for an invoice
        that is paid, written off or void, or held by another payment, becomes credit as well,
        with an alert, and the payment's `warnings` say so; in that case *amount* (or a `Share`)
        must say how much was received. If the other payment ends unpaid, use the credit with
        `pay_from_credit`. *reference* is the number of the check, the text of the transfer, or the
        number on the slip of the card terminal, which a terminal needs. If money of the same
        payer with the same kind and reference is already in the books, the new money is booked
        anyway, and the payment's `warnings` say so.
        """
        from paygate.service import record

        slip = record.Slip(
            items=arguments.items(items, "items"),
            kind=arguments.kind(by, "by", record.TAKEN),
            key=arguments.key(key),
            amount=arguments.maybe(arguments.money, amount, "amount"),
            reference=optional(reference, "reference"),
            on=arguments.maybe(arguments.day, on, "on"),
            customer=arguments.maybe(arguments.customer, customer, "customer"),
            payer=arguments.maybe(arguments.person, payer, "payer"),
        )
        return (yield from record.record(slip))

    @verb
    def record_refund(
        self,
        payment: Payment | str | None = None,
        *,
        by: Kind | SentBackBy,
        reference: str,
        key: str,
        customer: Customer | str | None = None,
        amount: Money | None = None,
        to: RefundTo | RefundToWord | None = None,
        items: Sequence[Payable] | Payable = (),
        on: date | str | None = None,
        reason: str = "",
        force_reason: str = "",
    ) -> Flow[list[Receipt]]:
        """
        Record money of *payment* that was sent back by hand; nothing is sent.

        *by* is ``"cash"``, ``"check"``, ``"transfer"`` or ``"bitcoin"``; *reference* is the
        number of the check, the text of the transfer or the transaction. With *customer* instead
        of a payment, *amount* of the customer's credit was paid out, the oldest first. The
        rules, *to* and *items* are those of `refund`. Returns the receipts; correct a mistake
        with `undo_record_refund`.
        """
        from paygate.service import record_refund, taking

        slip = record_refund.RefundSlip(
            kind=arguments.kind(by, "by"),
            key=arguments.key(key),
            reference=optional(reference, "reference"),
            payment=arguments.maybe(arguments.payment, payment, "payment"),
            customer=arguments.maybe(arguments.customer, customer, "customer"),
            amount=arguments.maybe(arguments.money, amount, "amount"),
            to=arguments.member(taking.RefundTo, to, "to"),
            items=arguments.items(items, "items"),
            on=arguments.maybe(arguments.day, on, "on"),
            reason=note(reason, "reason"),
            force_reason=note(force_reason, "force_reason"),
        )
        return (yield from record_refund.record_refund(slip))

    @verb
    def undo_record_refund(self, receipt: Receipt | str, *, reason: str) -> Flow[Payment]:
        """Undo a refund that was recorded by hand but not sent; the money is where it was."""
        from paygate.service import record_refund

        return (
            yield from record_refund.undo(
                arguments.receipt(receipt, "receipt"), reason=note(reason, "reason")
            )
        )
