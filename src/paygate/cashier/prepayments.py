"""Prepayments: money before its invoice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paygate.cashier import arguments
from paygate.cashier.base import OnLedger
from paygate.cashier.verbs import verb
from paygate.domain.text import note
from paygate.service.flow import look

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from paygate.domain.customer import Customer
    from paygate.domain.money import Money
    from paygate.domain.prepayment import OnRest, Prepayment, PrepaymentStatus
    from paygate.domain.words import OnRestWord, PrepaymentStatusWord
    from paygate.ledger.tx import Tx
    from paygate.service.flow import Flow


class Prepayments(OnLedger):
    """Verbs about prepayments."""

    @verb
    def prepay(
        self,
        customer: Customer | str,
        amount: Money,
        *,
        assignment_key: str,
        key: str,
        description: str = "",
        data: Mapping[str, Any] | None = None,
        on_rest: OnRest | OnRestWord = "keep",
    ) -> Flow[Prepayment]:
        """
        Make a prepayment: an amount that *customer* can pay before its invoice exists.

        Collect it like an invoice. When an invoice with the same *assignment_key* is issued, the
        money moves to it. The invoice then replaces the prepayment: an unpaid rest is closed, and
        payments under way are for the invoice. If such an invoice is open already, it replaces the
        prepayment at once: collect the invoice that `replaced_by` names. Money beyond the invoice
        waits for the next one with the key (``on_rest="keep"``), or becomes credit of the customer
        (``"credit"``).

        An *assignment_key*, such as an order number, has 1 to 64 printable characters; keys that
        differ only in case, in the encoding of accents or in surrounding spaces are one. In one
        currency it belongs to one customer permanently: `AssignmentConflict` is raised for another
        customer, and while a prepayment with it can be paid or has money that waits. *data* is
        yours: up to 16 KiB of JSON, repeated in the events of the prepayment. *key* makes it safe
        to call again.
        """
        from paygate.domain import prepayment
        from paygate.domain.prepayment import OnRest
        from paygate.service import prepay

        order = prepay.PrepayOrder(
            customer=arguments.customer(customer, "customer"),
            amount=arguments.money(amount, "amount"),
            assignment_key=prepayment.assignment_key(assignment_key),
            key=arguments.key(key),
            description=note(description, "description"),
            data=prepayment.host_data(data),
            on_rest=arguments.choice(OnRest, on_rest, "on_rest"),
        )
        return (yield from prepay.prepay(order))

    @verb
    def close_prepayment(self, prepayment: Prepayment | str, *, reason: str) -> Flow[Prepayment]:
        """
        Close a prepayment that will get no invoice, for example because its order was canceled.

        It cannot be paid any more, and money that waits on it becomes credit of the customer, which
        you can refund. Its payment link is revoked, and the next pass of the worker (or `recover`)
        withdraws the pages of that. Raises `ItemAlreadyBeingPaid` while a payment that may still
        succeed holds it. Repeating this changes nothing.
        """
        from paygate.service import prepay

        which = arguments.prepayment(prepayment, "prepayment")
        return (yield from prepay.close(which, reason=note(reason, "reason")))

    @verb
    def prepayment(self, prepayment: Prepayment | str) -> Flow[Prepayment]:
        """Return a prepayment's current state, by its id, or raise `PrepaymentNotFound`."""
        from paygate.service import finding

        which = arguments.prepayment_id(prepayment, "prepayment")
        return (yield from look(lambda tx: finding.prepayment(tx, which)))

    @verb
    def prepayments(
        self,
        *,
        customer: Customer | str | None = None,
        assignment_key: str | None = None,
        status: PrepaymentStatus | PrepaymentStatusWord | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        oldest_first: bool = False,
        after: Prepayment | str = "",
        limit: int = 100,
    ) -> Flow[list[Prepayment]]:
        """
        List prepayments by date, the newest first, a page at a time.

        *status* is a `PrepaymentStatus` or its text, such as ``"paid"``, which lists the money
        that waits for invoices. The dates, the order and the pages are those of `payments`.
        """
        from paygate.domain import prepayment
        from paygate.domain.prepayment import PrepaymentStatus
        from paygate.ledger import prepayments

        who = arguments.maybe(arguments.customer_id, customer, "customer")
        key = None if assignment_key is None else prepayment.assignment_key(assignment_key)
        standing = arguments.member(PrepaymentStatus, status, "status")
        page = self._page(
            arguments.prepayment_id(after, "after"),
            limit,
            oldest_first=oldest_first,
            since=since,
            until=until,
        )

        def work(tx: Tx) -> list[Prepayment]:
            return prepayments.page(tx, page, customer=who, key=key, standing=standing)

        return (yield from look(work))
