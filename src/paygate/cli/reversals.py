"""Reversals: book the opposite of a payment, and undo that."""

from __future__ import annotations

from typing import Annotated

import typer

from paygate.cli import options, payments, show
from paygate.cli.opening import Where, read_amount, with_ledger


@with_ledger
def record(
    where: Where,
    payment: options.PaymentArgument,
    reason: options.ReasonOption,
    on: Annotated[str | None, typer.Option(metavar="DATE", help="Date of the reversal.")] = None,
    number: Annotated[str | None, typer.Option(help="Number of its document.")] = None,
    fee: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="Invoice this to the customer.")
    ] = None,
    bank_charge: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="What the bank charged us.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Even if the gateway still has the money.")
    ] = False,
) -> None:
    """Book the opposite of a payment, for example of a bounced check; no money is sent.

    There is no --key: a payment is reversed once, and the same command again changes nothing.
    """
    with where.open() as cashier:
        made = cashier.reverse(
            payment,
            reason=reason,
            on=on,
            number=number,
            fee=None if fee is None else read_amount(cashier, fee),
            bank_charge=None if bank_charge is None else read_amount(cashier, bank_charge),
            force=force,
        )
    if where.as_json:
        show.write_json({"reversal": made})
        return
    show.write_sheet(
        {
            "Reversal": made.number,
            "Payment": made.payment,
            "Amount": made.amount,
            "On": made.on,
            "Reason": made.reason,
            "Fee invoice": made.fee_invoice,
            "Bank charge": made.bank_charge,
        }
    )


@with_ledger
def undo(
    where: Where,
    payment: options.PaymentArgument,
    reason: options.ReasonOption,
) -> None:
    """Undo the reversal of a payment whose money arrived after all; its invoices are paid again."""
    with where.open() as cashier:
        made = cashier.undo_reversal(payment, reason=reason)
    payments.tell(made, as_json=where.as_json)
