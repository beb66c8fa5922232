"""Reading payments: one, a page of them, and the whole history of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnLedger
from paygate.cashier.verbs import verb
from paygate.errors import PaymentNotFound
from paygate.printing import shown
from paygate.service.flow import look

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from paygate.domain.attempt import Attempt
    from paygate.domain.customer import Customer
    from paygate.domain.invoice import Invoice
    from paygate.domain.payment import Payment, PaymentStatus
    from paygate.domain.words import KeyedVerb, PaymentStatusWord
    from paygate.ledger.tx import Tx
    from paygate.service.flow import Flow
    from paygate.service.history import History


class Payments(OnLedger):
    """Verbs that read payments."""

    @verb
    def payment(self, id_: Payment | str) -> Flow[Payment]:
        """Return the payment's current state, or raise `PaymentNotFound`."""
        from paygate.service import finding

        which = arguments.payment(id_, "id_")
        return (yield from look(lambda tx: finding.payment(tx, which)))

    @verb
    def payment_by_reference(self, reference: str) -> Flow[Payment]:
        """
        Return the payment with a short reference, which a payer reads from a page or a receipt.

        It is read in any case, with or without its hyphen, and with the letters O, I and L for the
        digits that they look like. Raises `PaymentNotFound`.
        """
        from paygate.service import finding

        wanted = arguments.named(reference, "reference")
        return (yield from look(lambda tx: finding.payment_by_reference(tx, wanted)))

    @verb
    def payment_by_key(self, key: str, *, verb: KeyedVerb = "collect") -> Flow[Payment]:
        """
        Return the payment that a call with the idempotency *key* created or changed.

        *verb* is the verb that was called with the key: a key is used once for each verb. It
        finds a payment whose id was lost, for example because the process ended before it was
        saved. Raises `PaymentNotFound` if no call of *verb* used the key: in that case nothing
        was stored or sent.
        """
        from paygate.ledger import payments

        operations = _operations_of(verb)
        name = arguments.key(key)

        def work(tx: Tx) -> Payment:
            found = payments.by_key(tx, operations, name)
            if found is None:
                raise PaymentNotFound(
                    f"no payment was made with the key {shown(name)} by {verb}", key=name
                )
            return found

        return (yield from look(work))

    @verb
    def payments(
        self,
        *,
        customer: Customer | str | None = None,
        invoice: Invoice | str | None = None,
        account: str | None = None,
        status: PaymentStatus | PaymentStatusWord | None = None,
        needs_review: bool | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        oldest_first: bool = False,
        after: Payment | str = "",
        limit: int = 100,
    ) -> Flow[list[Payment]]:
        """
        List payments, the newest first, a page at a time.

        Filter by *customer*; by *invoice* (its number, or id); by gateway *account*
        (``"recorded"`` for those recorded by hand); and by *status*, an enum member or its text.
        ``needs_review=True`` lists the payments flagged for manual review.

        *since* is the first day (or instant) on which the payments were made, and *until* the
        first one after the period: a `date` or ISO 8601 text begins at midnight in the merchant's
        zone.

        A page has up to *limit* payments, 1 to 1,000. Pass the last one (or its id) as *after* for
        the next page; a page that is not full is the last one. The hundredth page costs no more
        than the first, and payments that are made meanwhile do not shift the pages. Raises
        `InvalidValue` for a value that is not valid, `InvoiceNotFound`, `GatewayNotFound`, and
        `PaymentNotFound` if *after* does not exist.
        """
        from paygate.domain.payment import PaymentStatus
        from paygate.ledger import payments
        from paygate.service import finding

        who = arguments.maybe(arguments.customer_id, customer, "customer")
        wanted = arguments.member(PaymentStatus, status, "status")
        of_account = arguments.maybe(arguments.named, account, "account")
        flagged = arguments.maybe(arguments.flag, needs_review, "needs_review")
        billed = arguments.maybe(arguments.invoice, invoice, "invoice")
        page = self._page(
            arguments.payment(after, "after"),
            limit,
            oldest_first=oldest_first,
            since=since,
            until=until,
        )

        def work(tx: Tx) -> list[Payment]:
            which = payments.PaymentFilter(
                customer=who,
                account=of_account,
                status=wanted,
                needs_review=flagged,
                item=None if billed is None else finding.invoice(tx, billed).id,
            )
            return finding.of_account(tx, of_account, payments.page(tx, which, page))

        return (yield from look(work))

    @verb
    def attempts(self, payment: Payment | str) -> Flow[list[Attempt]]:
        """List the operations that gateways were asked to do for a payment, the oldest first.

        Raises `PaymentNotFound`.
        """
        from paygate.ledger import attempts
        from paygate.service import finding

        which = arguments.payment(payment, "payment")

        def work(tx: Tx) -> list[Attempt]:
            found = finding.payment(tx, which)
            return [row.attempt for row in attempts.of_payment(tx, found.id)]

        return (yield from look(work))

    @verb
    def history(self, payment: Payment | str) -> Flow[History]:
        """Return all records about a payment: attempts, money moved, allocations and events."""
        from paygate.service import history, publish

        which = arguments.payment(payment, "payment")
        yield from publish.place()
        return (yield from look(lambda tx: history.of(tx, which)))


def _operations_of(verb: str) -> Sequence[str]:
    """Return the operations under which the keys of *verb* are stored."""
    found = _KEPT_AS.get(arguments.named(verb, "verb"))
    if found is None:
        arguments.refuse("verb", f"one of {', '.join(_KEPT_AS)}", verb)
    return found


_KEPT_AS: Mapping[str, Sequence[str]] = {
    **{name: (name,) for name in ("collect", "authorize", "top_up", "record", "pay_from_credit")},
    **{name: (name,) for name in ("capture", "refund", "complete")},
    "withdraw_page": ("withdraw",),
    "cancel": ("void", "refund", "withdraw"),
}
