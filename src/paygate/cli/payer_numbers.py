"""Payer numbers: assign them to customers, and release them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from paygate.cli import options, pages, show
from paygate.cli.opening import Where, with_gateways
from paygate.domain.payer_number import Pays

if TYPE_CHECKING:
    from paygate.domain.payer_number import PayerNumber

NumberArgument = Annotated[
    str, typer.Argument(metavar="NUMBER", help="A virtual account or reference number.")
]


@with_gateways
def assign(
    where: Where,
    number: NumberArgument,
    customer: options.CustomerArgument,
    via: options.ViaOption,
    pays: Annotated[Pays, typer.Option(help="What its money pays.")] = Pays.OLDEST_DUE,
) -> None:
    """Assign a payer number to a customer, who gets the money for it."""
    with where.open() as cashier:
        _tell(cashier.assign_payer_number(customer, number, via=via, pays=pays), where)


@with_gateways
def release(
    where: Where,
    number: NumberArgument,
    via: options.ViaOption,
    reason: options.ReasonOption,
) -> None:
    """Release a payer number; from then on, money for it waits for 'paygate payment assign'."""
    with where.open() as cashier:
        _tell(cashier.release_payer_number(number, via=via, reason=reason), where)


@with_gateways
def list_(
    where: Where,
    customer: options.CustomerOption = None,
    via: pages.ViaOption = None,
    after: Annotated[str, typer.Option(help="Continue after the number with this id.")] = "",
    limit: options.LimitOption = 100,
) -> None:
    """List the numbers that customers have, the newest first."""
    with where.open() as cashier:

        def list_numbers(behind: str, most: int) -> list[PayerNumber]:
            return cashier.payer_numbers(customer=customer, via=via, after=behind, limit=most)

        found, following = pages.read(list_numbers, after, limit)
    if where.as_json:
        show.write_json({"payer_numbers": found, "next": following})
        return
    table = show.table("Number", "Via", "Customer", "Pays", "Since")
    for one in found:
        since = f"{one.assigned_at:%Y-%m-%d}"
        show.add(table, one.number, one.account, one.customer, show.words(one.pays), since)
    show.console().print(table)
    pages.tell_more(following)


def _tell(made: PayerNumber, where: Where) -> None:
    if where.as_json:
        show.write_json({"payer_number": made})
        return
    sheet = {
        "Number": made.number,
        "Via": made.account,
        "Customer": made.customer,
        "Pays": show.words(made.pays),
        "Released": None if made.released_at is None else f"{made.released_at:%Y-%m-%d %H:%M} UTC",
    }
    show.write_sheet(sheet)
