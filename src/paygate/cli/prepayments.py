"""Prepayments: create, list, show and close them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from paygate.cli import facts, options, pages, show
from paygate.cli.opening import Where, read_amount, with_ledger
from paygate.domain.prepayment import OnRest
from paygate.errors import InvalidValue

if TYPE_CHECKING:
    from paygate.domain.prepayment import Prepayment
    from paygate.domain.words import PrepaymentStatusWord

IdArgument = Annotated[
    str, typer.Argument(metavar="PREPAYMENT", help="Id of the prepayment, such as ppy_….")
]


@with_ledger
def create(
    where: Where,
    customer: options.CustomerArgument,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="Such as '30.00 USD'.")],
    assignment_key: Annotated[
        str, typer.Option(help="The key that its invoice will have, such as an order number.")
    ],
    key: options.KeyOption,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    data: Annotated[
        str, typer.Option(metavar="JSON", help="Data of your own, repeated in its events.")
    ] = "{}",
    on_rest: Annotated[
        OnRest, typer.Option(help="What happens to money that exceeds the invoice.")
    ] = OnRest.KEEP,
    new: Annotated[
        bool, typer.Option("--create", help="Create the ledger if it does not exist.")
    ] = False,
) -> None:
    """Create a prepayment, which can be paid before its invoice exists."""
    with where.open(make=new) as cashier:
        made = cashier.prepay(
            customer,
            read_amount(cashier, amount),
            assignment_key=assignment_key,
            key=key,
            description=description,
            data=_parsed(data),
            on_rest=on_rest,
        )
    _tell(made, where)


@with_ledger
def close(where: Where, prepayment: IdArgument, reason: options.ReasonOption) -> None:
    """Close a prepayment that will get no invoice; its money becomes credit."""
    with where.open() as cashier:
        made = cashier.close_prepayment(prepayment, reason=reason)
    _tell(made, where)


@with_ledger
def list_(
    where: Where,
    customer: options.CustomerOption = None,
    assignment_key: Annotated[str | None, typer.Option(help="Only those with this key.")] = None,
    status: Annotated[
        str | None, typer.Option("--status", help="Only those with this status, such as paid.")
    ] = None,
    since: pages.SinceOption = None,
    until: pages.UntilOption = None,
    oldest_first: pages.OldestFirstOption = False,
    after: Annotated[str, typer.Option(help="Continue after the prepayment with this id.")] = "",
    limit: options.LimitOption = 100,
) -> None:
    """List prepayments, the newest first, a page at a time."""
    with where.open() as cashier:

        def list_prepayments(behind: str, most: int) -> list[Prepayment]:
            return cashier.prepayments(
                customer=customer,
                assignment_key=assignment_key,
                status=cast("PrepaymentStatusWord | None", status),
                since=since,
                until=until,
                oldest_first=oldest_first,
                after=behind,
                limit=most,
            )

        page, following = pages.read(list_prepayments, after, limit)
    if where.as_json:
        show.write_json({"prepayments": [facts.prepayment(one) for one in page], "next": following})
        return
    table = show.table("Prepayment", "Customer", "Key", "Status", ">Amount", ">Paid", ">Waiting")
    for one in page:
        status_ = show.words(one.status)
        amounts = (one.amount, one.paid, one.waiting)
        show.add(table, one.id, one.customer, one.assignment_key, status_, *amounts)
    show.console().print(table)
    pages.tell_more(following)


@with_ledger
def show_(where: Where, prepayment: IdArgument) -> None:
    """Show a prepayment, and the money that was put on it and taken off again."""
    with where.open() as cashier:
        found = cashier.prepayment(prepayment)
        allocations = cashier.allocations(found)
    if where.as_json:
        show.write_json({"prepayment": facts.prepayment(found), "allocations": allocations})
        return
    _write(found)
    if allocations:
        table = show.table("When", "From", ">Amount")
        for one in allocations:
            show.add(table, one.booked_at.date(), one.payment or one.credit or "", one.amount)
        console = show.console()
        console.print()
        console.print(table)


def _tell(made: Prepayment, where: Where) -> None:
    if where.as_json:
        show.write_json({"prepayment": facts.prepayment(made)})
    else:
        _write(made)


def _write(of: Prepayment) -> None:
    show.write_sheet(
        {
            "Prepayment": of.id,
            "Customer": of.customer,
            "Assignment key": of.assignment_key,
            "For": of.description or None,
            "Status": show.words(of.status),
            "Amount": of.amount,
            "Open": of.open,
            "Paid": of.paid,
            "On invoices": of.assigned or None,
            "Became credit": of.credited or None,
            "Waiting": of.waiting or None,
            "Held": of.claimed or None,
            "Held by": ", ".join(of.claimed_by) or None,
            "Replaced by": of.replaced_by,
            "Rest": show.words(of.on_rest),
            "Data": json.dumps(of.data, ensure_ascii=False) if of.data else None,
        }
    )


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InvalidValue(
            """data must be a JSON object, such as '{"basket": 7}'""", argument="data"
        )
    return cast("dict[str, Any]", found)
