"""Write an open amount off, and undo that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.domain.invoice import InvoiceStatus
from paygate.errors import AlreadyPaid, InvalidAmount, InvalidValue, InvoiceIsVoid, NotEnoughOpen
from paygate.ledger import customers, holding, items, keys, outbox, posting, reversals
from paygate.ledger.posting import LedgerAccount, PostingLine
from paygate.service import allocation, claiming, finding
from paygate.service.flow import Flow, look, repeatable, transact

if TYPE_CHECKING:
    from paygate.domain.invoice import Invoice
    from paygate.domain.money import Money
    from paygate.domain.reversal import WriteOff
    from paygate.ledger.tx import Tx


def write_off(
    which: Invoice | str, *, amount: Money | None, reason: str, key: str
) -> Flow[WriteOff]:
    """Write off an open amount, once per key."""

    def work(tx: Tx) -> WriteOff:
        return write_off_in(tx, which, amount=amount, reason=reason, key=key)

    return (yield from repeatable(work))


def write_off_in(
    tx: Tx, which: Invoice | str, *, amount: Money | None, reason: str, key: str
) -> WriteOff:
    """Write off an open amount in this transaction; without *amount*, all that is open."""
    if not reason.strip():
        raise InvalidValue("a write-off needs a reason", argument="reason")
    finding.hold(tx, (which,))
    invoice = finding.invoice(tx, which)
    id_ = tx.new_id("wof")
    print_ = keys.fingerprint(item=invoice.id, amount=str(amount), reason=reason)
    before = keys.take(tx, "write_off", key, print_, id_)
    if before is not None:
        return finding.write_off(tx, before)
    if invoice.status is InvoiceStatus.DRAFT:
        raise claiming.is_draft(invoice)
    wanted = invoice.open if amount is None else amount
    if amount is None and not wanted.minor:
        raise AlreadyPaid(f"nothing is open on invoice {invoice.number}", item=invoice.number)
    if wanted.minor <= 0:
        raise InvalidAmount(f"{wanted} cannot be written off", argument="amount")
    if wanted > invoice.open or not items.write_off(tx, invoice.id, wanted.minor):
        raise NotEnoughOpen(
            f"{wanted} cannot be written off invoice {invoice.number}: {invoice.open} is open, "
            f"of which a live payment holds {invoice.claimed}",
            item=invoice.number,
        )
    reversals.insert_write_off(
        tx,
        id_=id_,
        item=invoice.id,
        amount=wanted,
        reason=reason,
        effective=customers.today(tx, invoice.customer),
    )
    _post(tx, invoice, id_, wanted.minor)
    outbox.emit(
        tx,
        "invoice.written_off",
        invoice.id,
        {
            **allocation.item_data(tx, invoice.id),
            "write_off": id_,
            "amount_minor": wanted.minor,
            "reason": reason,
        },
    )
    if wanted == invoice.open:
        allocation.emit_invoices(tx, [invoice.id])
    return finding.write_off(tx, id_)


def list_(which: Invoice | str) -> Flow[list[WriteOff]]:
    """Return the write-offs of an invoice, oldest first, including undone ones."""
    return (
        yield from look(lambda tx: reversals.write_offs_of_item(tx, finding.invoice(tx, which).id))
    )


def undo_write_off(which: str) -> Flow[WriteOff]:
    """Undo a write-off: its amount is open again."""
    return (yield from transact(lambda tx: undo_write_off_in(tx, which)))


def undo_write_off_in(tx: Tx, which: str) -> WriteOff:
    """Undo a write-off in this transaction; repeating this changes nothing."""
    holding.hold_write_off(tx, which)
    found = finding.write_off(tx, which)
    invoice = finding.invoice(tx, found.invoice)
    if invoice.status is InvoiceStatus.VOID:
        raise InvoiceIsVoid(
            f"invoice {invoice.number} is void, so its write-off cannot be undone",
            item=invoice.number,
        )
    if not found.undone and reversals.mark_undone(tx, found.id):
        items.undo_write_off(tx, found.invoice, found.amount.minor)
        account = reversals.posted_to(tx, found.id)
        _post(tx, invoice, f"undo:{found.id}", -found.amount.minor, account)
        allocation.emit_invoices(tx, [found.invoice], reopened=True)
    return finding.write_off(tx, which)


def _post(
    tx: Tx,
    invoice: Invoice,
    entry: str,
    minor: int,
    account: LedgerAccount = LedgerAccount.WRITE_OFF,
) -> None:
    lines = [
        PostingLine(account, minor, item=invoice.id),
        PostingLine(LedgerAccount.RECEIVABLE, -minor, item=invoice.id),
    ]
    posting.post(
        tx,
        lines,
        entry=entry,
        currency=invoice.total.currency,
        customer=invoice.customer,
        effective=customers.today(tx, invoice.customer),
    )
