"""Bank accounts and statements: set up, import, list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from paygate.cli import options, pages, show
from paygate.cli.opening import Where, read_amount, with_ledger
from paygate.domain.bank_statement import StatementFormat
from paygate.errors import InvalidValue
from paygate.printing import counted, shown

if TYPE_CHECKING:
    from paygate.domain.bank_account import BankAccount
    from paygate.domain.bank_line import BankStatement
    from paygate.service.bank_import import StatementImport
    from paygate.statements import ColumnMap

AccountArgument = Annotated[str, typer.Argument(help="Name of the bank account.")]
AccountOption = Annotated[str | None, typer.Option("--account", help="Only this bank account.")]


@with_ledger
def account(
    where: Where,
    name: AccountArgument,
    number: Annotated[str, typer.Option("--number", help="As statements write it: the IBAN.")],
    currency: Annotated[str, typer.Option("--currency", help="ISO 4217 code.")],
    source: Annotated[
        StatementFormat, typer.Option("--source", help="The format that books every line.")
    ] = StatementFormat.CAMT_053,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse statements that do not add up.")
    ] = False,
    distrust_ids: Annotated[
        bool, typer.Option("--distrust-ids", help="The bank's ids of entries repeat.")
    ] = False,
    auto_reverse_checks: Annotated[
        bool, typer.Option("--auto-reverse-checks", help="Reverse a returned check at once.")
    ] = False,
    check_fee: Annotated[
        str | None,
        typer.Option("--check-fee", metavar="AMOUNT", help="Bill it for a returned check."),
    ] = None,
    hold_fees: Annotated[
        bool, typer.Option("--hold-fees", help="Charges of the bank wait for a clerk.")
    ] = False,
    payout: Annotated[
        list[str] | None,
        typer.Option("--payout", metavar="ACCOUNT=WORD", help="Word of a processor's credits."),
    ] = None,
) -> None:
    """Add a bank account, or change how its lines are booked and matched."""
    with where.open(make=True) as cashier:
        made = cashier.set_bank_account(
            name,
            number=number,
            currency=currency,
            source=source,
            strict=strict,
            trusts_line_ids=not distrust_ids,
            auto_reverse_checks=auto_reverse_checks,
            check_fee=None if check_fee is None else read_amount(cashier, check_fee),
            posts_fees=not hold_fees,
            payouts=_payouts(payout or []),
        )
    if where.as_json:
        show.write_json({"bank_account": made})
    else:
        _write_accounts([made])


@with_ledger
def accounts(where: Where) -> None:
    """List the bank accounts with their balances."""
    with where.open() as cashier:
        found = cashier.bank_accounts()
    if where.as_json:
        show.write_json({"bank_accounts": found})
    else:
        _write_accounts(found)


@with_ledger
def import_(
    where: Where,
    account: AccountArgument,
    files: Annotated[list[Path], typer.Argument(help="Statements, in any order.")],
    columns: Annotated[
        Path | None, typer.Option("--columns", metavar="FILE", help="Column map of CSV, in JSON.")
    ] = None,
    encoding: Annotated[str, typer.Option("--encoding", help="Of MT940, BAI2 and OFX.")] = "utf-8",
    no_reconcile: Annotated[
        bool, typer.Option("--no-reconcile", help="Store the lines, and match them later.")
    ] = False,
) -> None:
    """Import bank statements: camt.053, .052, .054, MT940, BAI2, OFX or CSV.

    A file that was imported before changes nothing, so an import that was interrupted is run
    again. A file that cannot be read, or is of another account, is refused as a whole.
    """
    progress = _Progress(quiet=where.as_json)
    done: list[dict[str, object]] = []
    with where.open() as cashier:
        for file in files:
            made = cashier.import_statement(
                file,
                account=account,
                columns=_column_map(columns),
                encoding=encoding,
                reconcile=False,
                progress=progress.show,
            )
            progress.end()
            done.append({"file": str(file), "import": made})
            if not where.as_json:
                _write_import(file, made)
        found = None if no_reconcile else cashier.reconcile(account)
    if where.as_json:
        show.write_json({"imports": done, "reconciled": found})
    elif found is not None:
        show.say(
            f"{counted(found.lines, 'open line')}: {found.explained:,} explained, "
            f"{found.proposed:,} with proposals, {found.unexplained:,} unexplained"
        )


@with_ledger
def list_(
    where: Where,
    account: AccountOption = None,
    after: Annotated[str, typer.Option(help="Continue after the statement with this id.")] = "",
    limit: options.LimitOption = 100,
) -> None:
    """List the statements that were imported, the newest first."""
    with where.open() as cashier:

        def read(behind: str, most: int) -> list[BankStatement]:
            return cashier.bank_statements(account=account, after=behind, limit=most)

        found, following = pages.read(read, after, limit)
    if where.as_json:
        show.write_json({"bank_statements": found, "next": following})
        return
    table = show.table(
        "Account", "Day", "Name", "Format", ">Opening", ">Closing", ">Missing", ">Gap"
    )
    for one in found:
        show.add(
            table,
            *(one.account, f"{one.on}", one.name, one.format.value),
            *(each or "" for each in (one.opening, one.closing)),
            *(each if each.minor else "" for each in (one.missing, one.gap)),
        )
    show.console().print(table)
    pages.tell_more(following)


def _payouts(given: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in given:
        name, mark, word = each.partition("=")
        if not mark:
            raise InvalidValue(f"--payout is ACCOUNT=WORD, not {shown(each)}")
        found[name] = word
    return found


def _column_map(file: Path | None) -> ColumnMap | None:
    from paygate.statements import ColumnMap

    if file is None:
        return None
    try:
        facts: object = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        raise InvalidValue(f"the column map {file} cannot be read; it is a JSON object") from None
    if not isinstance(facts, dict):
        raise InvalidValue(f"the column map {file} is not a JSON object")
    try:
        return ColumnMap(**cast("dict[str, Any]", facts))
    except TypeError as error:
        raise InvalidValue(f"the column map {file}: {error}") from None


def _write_accounts(found: list[BankAccount]) -> None:
    table = show.table("Name", "Number", "Source", ">Balance")
    for one in found:
        show.add(table, one.name, one.number, one.policy.source.value, one.balance)
    show.console().print(table)


def _write_import(file: Path, made: StatementImport) -> None:
    if made.repeated:
        show.say(f"{file.name}: imported before")
        return
    text = (
        f"{file.name}: {counted(made.statements, 'statement')}, "
        f"{counted(made.entries, 'entry', 'entries')}: "
        f"{made.new:,} new, {made.known:,} known, {made.left:,} left out"
    )
    wrong = [
        f"{counted(made.mismatched, 'statement')} does not add up" if made.mismatched else "",
        f"{counted(made.gaps, 'gap')} before a statement" if made.gaps else "",
    ]
    show.say("; ".join([text, *filter(None, wrong)]))


class _Progress:
    """Writes to the terminal how far an import is."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = show.console(stderr=True)
        self._live = self._console.is_terminal and not quiet

    def show(self, report: StatementImport) -> None:
        """Show how many entries were read."""
        if self._live:
            self._console.print(f"{report.entries:,} entries, {report.new:,} new", end="\r")

    def end(self) -> None:
        """Leave the line of the progress."""
        if self._live:
            self._console.print()
