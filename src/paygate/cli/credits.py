"""Credit: list a customer's, pay invoices from it, and return what was used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from paygate.cli import facts, options, pages, payments, show
from paygate.cli.opening import Where, read_amount, with_ledger

if TYPE_CHECKING:
    from paygate.domain.credit import Credit


@with_ledger
def list_(
    where: Where,
    customer: options.CustomerArgument,
    after: Annotated[str, typer.Option(help="Continue after the lot with this id.")] = "",
    limit: options.LimitOption = 100,
) -> None:
    """List the lots of a customer's balance, the oldest (used first) first, and what is free."""
    with where.open() as cashier:

        def list_lots(behind: str, most: int) -> list[Credit]:
            return cashier.credits(customer, after=behind, limit=most)

        lots, following = pages.read(list_lots, after, limit)
        balance = cashier.balance(customer)
    if where.as_json:
        written = [facts.credit(one) for one in lots]
        show.write_json({"credits": written, "next": following, "balance": balance})
        return
    console = show.console()
    if not lots:
        console.print("No credit.")
        return
    table = show.table("Lot", "Since", "From", ">Amount", ">Used", ">Free")
    for one in lots:
        since, reason = one.created_at.date(), show.words(one.reason)
        show.add(table, one.id, since, reason, one.amount, one.used, one.free)
    console.print(table)
    pages.tell_more(following)
    console.print()
    console.print("Balance: " + ", ".join(map(str, balance.values())))


@with_ledger
def use(
    where: Where,
    invoices: Annotated[list[str], typer.Argument(help="Numbers of the invoices to pay.")],
    key: options.KeyOption,
    amount: options.AmountOption = None,
) -> None:
    """Pay invoices from the customer's credit, the oldest lots first."""
    with where.open() as cashier:
        wanted = None if amount is None else read_amount(cashier, amount, invoices)
        made = cashier.pay_from_credit(invoices, key=key, amount=wanted)
    payments.tell(made, as_json=where.as_json)


@with_ledger
def undo_use(where: Where, payment: options.PaymentArgument) -> None:
    """Return the credit that a payment used; its invoices are open again."""
    with where.open() as cashier:
        made = cashier.undo_credit_use(payment)
    payments.tell(made, as_json=where.as_json)
