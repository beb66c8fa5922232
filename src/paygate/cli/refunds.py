"""Refunds that were paid by hand: record one, and undo a record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import typer

from paygate.cli import options, payments, show
from paygate.cli.opening import Where, read_amount, with_ledger

if TYPE_CHECKING:
    from paygate.domain.words import RefundToWord, SentBackBy


@with_ledger
def record(
    where: Where,
    by: Annotated[str, typer.Option(help="cash, check, transfer or bitcoin.")],
    key: options.KeyOption,
    reference: Annotated[str, typer.Option(help="Number of the check, or text of transfer.")],
    payment: Annotated[str | None, typer.Argument(help="Id of the payment.")] = None,
    amount: options.AmountOption = None,
    to: Annotated[
        str | None,
        typer.Option(help="reopen, credit_note or from_credit: what happens to the invoices."),
    ] = None,
    on: Annotated[str | None, typer.Option(metavar="DATE", help="When it was sent.")] = None,
    customer: Annotated[
        str | None, typer.Option(help="Pay out the credit of this customer instead.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Record money that was sent back by hand; only the books change."""
    with where.open() as cashier:
        made = cashier.record_refund(
            payment,
            customer=customer,
            amount=None if amount is None else read_amount(cashier, amount),
            by=cast("SentBackBy", by),
            reference=reference,
            key=key,
            on=on,
            to=cast("RefundToWord | None", to),
            reason=reason,
        )
    if where.as_json:
        show.write_json({"receipts": made})
        return
    table = show.table("Receipt", "Payment", ">Amount", "On")
    for one in made:
        show.add(table, one.id, one.payment, one.amount, one.effective)
    show.console().print(table)


@with_ledger
def undo(
    where: Where,
    receipt: Annotated[str, typer.Argument(help="Id of the receipt of the recorded refund.")],
    reason: options.ReasonOption,
) -> None:
    """Undo a refund that was recorded by hand but not sent after all."""
    with where.open() as cashier:
        made = cashier.undo_record_refund(receipt, reason=reason)
    payments.tell(made, as_json=where.as_json)
