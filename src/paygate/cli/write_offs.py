"""Write-offs: give up an open amount of an invoice, and undo that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from paygate.cli import options, show
from paygate.cli.opening import Where, read_amount, with_ledger

if TYPE_CHECKING:
    from paygate.domain.reversal import WriteOff


@with_ledger
def record(
    where: Where,
    invoice: Annotated[str, typer.Argument(help="Number or id of the invoice.")],
    reason: options.ReasonOption,
    key: options.KeyOption,
    amount: options.AmountOption = None,
) -> None:
    """Write off an open amount of an invoice."""
    with where.open() as cashier:
        wanted = None if amount is None else read_amount(cashier, amount, [invoice])
        made = cashier.write_off(invoice, reason=reason, key=key, amount=wanted)
    _tell(made, where)


@with_ledger
def undo(
    where: Where,
    id_: Annotated[str, typer.Argument(metavar="WRITE-OFF", help="Id of the write-off.")],
) -> None:
    """Undo a write-off; the amount is open again."""
    with where.open() as cashier:
        made = cashier.undo_write_off(id_)
    _tell(made, where)


def _tell(made: WriteOff, where: Where) -> None:
    if where.as_json:
        show.write_json({"write_off": made})
        return
    sheet = {
        "Write-off": made.id,
        "Invoice": made.invoice,
        "Amount": made.amount,
        "Reason": made.reason,
        "Undone": "yes" if made.undone else None,
    }
    show.write_sheet(sheet)
