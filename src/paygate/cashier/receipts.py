"""Reading receipts: the money that moved, and the invoices it was put on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnLedger
from paygate.cashier.verbs import verb
from paygate.service.flow import look

if TYPE_CHECKING:
    from datetime import date

    from paygate.domain.allocation import Allocation
    from paygate.domain.invoice import Invoice
    from paygate.domain.payment import Payment
    from paygate.domain.prepayment import Prepayment
    from paygate.domain.receipt import Receipt, ReceiptLine
    from paygate.ledger.tx import Tx
    from paygate.service.flow import Flow


class Receipts(OnLedger):
    """Verbs that read receipts and allocations."""

    @verb
    def receipts(self, payment: Payment | str) -> Flow[list[Receipt]]:
        """List the money that moved for a payment, in and out; raises `PaymentNotFound`."""
        from paygate.ledger import receipts
        from paygate.service import finding

        which = arguments.payment(payment, "payment")
        found = look(lambda tx: receipts.of_payment(tx, finding.payment(tx, which).id))
        return (yield from found)

    @verb
    def number_receipt(self, receipt: Receipt | str, number: str) -> Flow[Receipt]:
        """
        Give a receipt its number in a series of yours, for example one that the law asks for.

        `Receipt.number` increases but may have gaps. A handler of ``receipt.booked`` can give
        numbers in the order of the events. The same number again changes nothing. Raises
        `NumberReused` if the receipt has another number, or another receipt has this one.
        """
        from paygate.service import number_receipt

        which = arguments.receipt(receipt, "receipt")
        given = arguments.number(number, "number")
        return (yield from number_receipt.number_receipt(which, given))

    @verb
    def receipt_lines(
        self,
        *,
        account: str | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        oldest_first: bool = False,
        after: ReceiptLine | Receipt | str = "",
        limit: int = 100,
    ) -> Flow[list[ReceiptLine]]:
        """
        List the receipts of all payments by booking time, the newest first.

        Each line includes the customer, the invoices and the processor, for an accountant; name
        a gateway *account*, or ``"recorded"`` for money recorded by hand, to list only its
        receipts. The dates, the order and the pages are those of `payments`. The list of a past
        period does not change: money booked later is in a later list, even if it moved earlier.
        """
        from paygate.ledger import receipt_lines
        from paygate.service import finding

        of_account = arguments.maybe(arguments.named, account, "account")
        page = self._page(
            arguments.receipt_line(after, "after"),
            limit,
            oldest_first=oldest_first,
            since=since,
            until=until,
        )

        def work(tx: Tx) -> list[ReceiptLine]:
            found = receipt_lines.page(tx, page, account=of_account)
            return finding.of_account(tx, of_account, found)

        return (yield from look(work))

    @verb
    def allocations(self, invoice: Invoice | Prepayment | str) -> Flow[list[Allocation]]:
        """List what was allocated to an invoice or prepayment, and what was taken off it again."""
        from paygate.ledger import allocations
        from paygate.service import finding

        which = arguments.item(invoice, "invoice")

        def work(tx: Tx) -> list[Allocation]:
            return allocations.of_item(tx, finding.item(tx, which, "invoice").id)

        return (yield from look(work))
