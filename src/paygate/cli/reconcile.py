"""Lines of bank accounts: match them with the ledger, and decide about the rest."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from paygate.cli import options, pages, show
from paygate.cli.opening import Where, with_ledger
from paygate.cli.statements import AccountArgument, AccountOption
from paygate.domain.bank_line import LineState

if TYPE_CHECKING:
    from paygate.domain.bank_line import BankLine

LineArgument = Annotated[str, typer.Argument(metavar="LINE", help="Id of the line.")]
_COLUMNS = (
    *("id", "account", "booked", "amount", "currency", "state", "class", "meaning", "code"),
    *(
        "bank_reference",
        "end_to_end",
        "reference",
        "check",
        "party",
        "text",
        "explained_by",
        "note",
    ),
)


@with_ledger
def run(where: Where, account: AccountArgument) -> None:
    """Match the open lines of a bank account with the ledger.

    What a rule is certain of is booked; the rest stays open, with proposals.
    """
    with where.open() as cashier:
        found = cashier.reconcile(account)
    if where.as_json:
        show.write_json({"reconciled": found})
        return
    table = show.table("Class", ">Lines")
    for name, lines in found.classes.items():
        show.add(table, show.words(name), lines)
    show.console().print(table)
    show.say(
        f"{found.explained:,} explained, {found.proposed:,} with proposals, "
        f"{found.unexplained:,} unexplained"
    )


@with_ledger
def lines(
    where: Where,
    account: AccountOption = None,
    state: Annotated[LineState | None, typer.Option(help="Only lines in this state.")] = None,
    oldest_first: pages.OldestFirstOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Write CSV, for a spreadsheet.")] = False,
    after: Annotated[str, typer.Option(help="Continue after the line with this id.")] = "",
    limit: options.LimitOption = 100,
) -> None:
    """List lines of bank accounts, by the day they were booked and in a stable order."""
    with where.open() as cashier:

        def read(behind: str, most: int) -> list[BankLine]:
            return cashier.bank_lines(
                account=account, state=state, oldest_first=oldest_first, after=behind, limit=most
            )

        found, following = pages.read(read, after, limit)
    if where.as_json:
        show.write_json({"bank_lines": found, "next": following})
        return
    if as_csv:
        _write_csv(found)
        return
    _write_lines(found)
    pages.tell_more(following)


@with_ledger
def show_(where: Where, line: LineArgument) -> None:
    """Show a line, and what it may be if it is open, the most likely first."""
    with where.open() as cashier:
        made = cashier.bank_line(line)
        found = cashier.line_proposals(line)
    if where.as_json:
        show.write_json({"bank_line": made, "proposals": found})
        return
    _write_lines([made])
    table = show.table("Proposal", "Kind", "What", "Customer", "Certainty", "Why")
    for one in found:
        what = ", ".join(one.subjects)
        show.add(
            table, one.id, show.words(one.kind), what, one.customer, one.certainty.value, one.why
        )
    show.console().print(table)


@with_ledger
def accept(
    where: Where,
    line: LineArgument,
    proposal: Annotated[str, typer.Option(help="Id of the proposal, if there are several.")] = "",
) -> None:
    """Accept a proposal for a line, and book what it says."""
    with where.open() as cashier:
        _tell(cashier.accept_proposal(line, proposal), where)


@with_ledger
def assign(
    where: Where,
    line: LineArgument,
    reason: options.ReasonOption,
    invoice: Annotated[
        list[str] | None, typer.Option("--invoice", help="Invoice that it pays; repeatable.")
    ] = None,
    customer: options.CustomerOption = None,
    payment: Annotated[
        str | None, typer.Option("--payment", help="Payment whose check came back.")
    ] = None,
) -> None:
    """Say what a line is: money for invoices, credit of a customer, or a returned check."""
    with where.open() as cashier:
        made = cashier.assign_line(
            line, invoice or (), customer=customer, payment=payment, reason=reason
        )
        _tell(made, where)


@with_ledger
def ignore(where: Where, line: LineArgument, reason: options.ReasonOption) -> None:
    """Decide that a line concerns no customer; its money stays unexplained."""
    with where.open() as cashier:
        _tell(cashier.ignore_line(line, reason=reason), where)


@with_ledger
def reopen(where: Where, line: LineArgument, reason: options.ReasonOption) -> None:
    """Undo what explains a line, or that it is ignored."""
    with where.open() as cashier:
        _tell(cashier.reopen_line(line, reason=reason), where)


@with_ledger
def missing(
    where: Where,
    account: AccountArgument,
    days: Annotated[int, typer.Option(help="How long it may take.")] = 10,
    limit: options.LimitOption = 100,
) -> None:
    """List money recorded by hand that no statement has."""
    with where.open() as cashier:
        found = cashier.receipts_not_on_statement(account, days=days, limit=limit)
    if where.as_json:
        show.write_json({"receipts": found})
        return
    table = show.table("Receipt", "Payment", "Day", ">Amount")
    for one in found:
        show.add(table, one.id, one.payment, f"{one.effective}", one.amount)
    show.console().print(table)


def _tell(made: BankLine, where: Where) -> None:
    if where.as_json:
        show.write_json({"bank_line": made})
    else:
        _write_lines([made])


def _write_lines(found: list[BankLine]) -> None:
    table = show.table("Line", "Day", ">Amount", "State", "Class", "Party", "Text")
    for one in found:
        show.add(
            table,
            *(one.id, f"{one.booked}", one.amount, one.state.value, show.words(one.line_class)),
            *(one.party, one.text),
        )
    show.console().print(table)


def _write_csv(found: list[BankLine]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for one in found:
        by = ", ".join(f"{m.kind} {m.subject}" for m in one.matches if m.undone_at is None)
        writer.writerow(
            _harmless(str(each))
            for each in (
                *(one.id, one.account, one.booked, f"{one.amount.decimal:f}", one.amount.currency),
                *(one.state, one.line_class, one.meaning, one.code, one.bank_reference),
                *(one.end_to_end, one.reference, one.check, one.party, one.text, by, one.note),
            )
        )


def _harmless(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula: a payer may have written it."""
    is_number = cell.lstrip("-").replace(".", "", 1).isdecimal()
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t") and not is_number else cell
