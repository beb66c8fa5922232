"""Bank statements: what came, what bounced, and what it cost."""

from __future__ import annotations

import codecs
import io
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from paygate.cashier import arguments
from paygate.cashier.base import OnLedger
from paygate.cashier.verbs import verb
from paygate.domain.text import identifier, note
from paygate.errors import InvalidValue
from paygate.printing import shown_value
from paygate.service.flow import look

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paygate.domain.bank_account import BankAccount
    from paygate.domain.bank_line import BankLine, BankStatement, LineState, Proposal
    from paygate.domain.bank_statement import StatementFormat
    from paygate.domain.customer import Customer
    from paygate.domain.money import Money
    from paygate.domain.payable import Payable
    from paygate.domain.payment import Payment
    from paygate.domain.receipt import Receipt
    from paygate.domain.words import LineStateWord, StatementFormatWord
    from paygate.service.bank_import import StatementImport
    from paygate.service.flow import Flow
    from paygate.service.reconcile import Reconciled
    from paygate.statements import ColumnMap


class Bank(OnLedger):
    """Verbs about bank accounts, their statements and lines."""

    @verb
    def set_bank_account(
        self,
        name: str,
        *,
        number: str,
        currency: str,
        source: StatementFormat | StatementFormatWord = "camt.053",
        strict: bool = False,
        trusts_line_ids: bool = True,
        auto_reverse_checks: bool = False,
        check_fee: Money | None = None,
        posts_fees: bool = True,
        payouts: Mapping[str, str] | None = None,
    ) -> Flow[BankAccount]:
        """
        Add a bank account of the merchant, or change how its lines are booked and matched.

        *number* is its number as the bank's statements write it, such as the IBAN. *source* is the
        format that books every line; another format books only lines that have the bank's own id
        (if the account *trusts_line_ids*) or an id of ours. A *strict* account refuses a statement
        that does not add up. With *auto_reverse_checks*, a recorded check that was returned is
        reversed without a clerk, if exactly one fits; *check_fee* is billed to its customer.
        Without *posts_fees*, charges of the bank wait for a clerk. *payouts* names, by gateway
        account, a word in the text of the processor's credits. The currency cannot change.
        """
        from paygate.domain.bank_account import BankPolicy
        from paygate.domain.bank_statement import StatementFormat
        from paygate.service import bank_import

        policy = BankPolicy(
            source=arguments.choice(StatementFormat, source, "source"),
            strict=arguments.flag(strict, "strict"),
            trusts_line_ids=arguments.flag(trusts_line_ids, "trusts_line_ids"),
            auto_reverse_checks=arguments.flag(auto_reverse_checks, "auto_reverse_checks"),
            check_fee=arguments.maybe(arguments.money, check_fee, "check_fee"),
            posts_fees=arguments.flag(posts_fees, "posts_fees"),
            payouts=_payouts(payouts),
        )
        flow = bank_import.set_account(
            identifier(name, "name"),
            arguments.number(number, "number"),
            _currency(currency),
            policy,
        )
        return (yield from flow)

    @verb
    def bank_accounts(self) -> Flow[list[BankAccount]]:
        """Return the bank accounts of the merchant with their balances, by name."""
        from paygate.ledger import bank_accounts

        return (yield from look(bank_accounts.every))

    @verb
    def import_statement(
        self,
        content: bytes | Path | BinaryIO,
        *,
        account: str,
        columns: ColumnMap | None = None,
        encoding: str = "utf-8",
        reconcile: bool = True,
        progress: Callable[[StatementImport], object] | None = None,
    ) -> Flow[StatementImport]:
        """
        Import a bank statement into bank account *account*, and match its lines.

        *content* is the file, its path or its bytes: camt.053, .052 or .054, MT940, BAI2 or OFX,
        or a table with *columns*. Importing it again, or a file that overlaps it, changes nothing.
        Raises `ImportRejected`, with the line and the reason, for a file that cannot be read or
        that is of another account; nothing of it is imported. *progress* is called after each
        group of lines. Without *reconcile*, lines are matched by `reconcile` later.
        """
        from paygate.service import bank_import
        from paygate.service import reconcile as reconciling
        from paygate.statements import read_statement

        name = arguments.named(account, "account")
        match_too = arguments.flag(reconcile, "reconcile")
        _function(progress, "progress")
        read = partial(read_statement, columns=_columns(columns), encoding=_encoding(encoding))
        with ExitStack() as stack:
            order = bank_import.ImportOrder(
                account=name,
                source=_source(content, stack),
                read=read,
                progress=progress,
            )
            done = yield from bank_import.import_file(order)
        if match_too:
            yield from reconciling.run(name, None)
        return done

    @verb
    def bank_statements(
        self,
        *,
        account: str | None = None,
        oldest_first: bool = False,
        after: BankStatement | str = "",
        limit: int = 100,
    ) -> Flow[list[BankStatement]]:
        """List the statements that were imported, the newest first, a page at a time."""
        from paygate.ledger import bank_statements

        which = self._page(
            arguments.bank_statement_id(after, "after"), limit, oldest_first=oldest_first
        )
        name = None if account is None else arguments.named(account, "account")
        return (yield from look(lambda tx: bank_statements.page(tx, which, account=name)))

    @verb
    def bank_line(self, line: BankLine | str) -> Flow[BankLine]:
        """Return a line of a bank account with what explains it, or raise `RecordNotFound`."""
        from paygate.service import reconcile

        id_ = arguments.bank_line_id(line, "line")
        return (yield from look(lambda tx: reconcile.line_in(tx, id_)))

    @verb
    def bank_lines(
        self,
        *,
        account: str | None = None,
        state: LineState | LineStateWord | None = None,
        oldest_first: bool = False,
        after: BankLine | str = "",
        limit: int = 100,
    ) -> Flow[list[BankLine]]:
        """List lines of bank accounts by the day they were booked, the newest first."""
        from paygate.domain.bank_line import LineState
        from paygate.ledger import bank_lines

        which = self._page(arguments.bank_line_id(after, "after"), limit, oldest_first=oldest_first)
        name = None if account is None else arguments.named(account, "account")
        of = None if state is None else arguments.choice(LineState, state, "state")
        return (yield from look(lambda tx: bank_lines.page(tx, which, account=name, state=of)))

    @verb
    def reconcile(
        self, account: str, *, progress: Callable[[Reconciled], object] | None = None
    ) -> Flow[Reconciled]:
        """
        Match the open lines of a bank account with the ledger.

        What a rule is certain of is booked: money that was recorded by hand is settled, new money
        is recorded for what it names, charges and payouts are posted. All other lines stay open;
        `line_proposals` says what each may be.
        """
        from paygate.service import reconcile

        _function(progress, "progress")
        return (yield from reconcile.run(arguments.named(account, "account"), progress))

    @verb
    def line_proposals(self, line: BankLine | str) -> Flow[list[Proposal]]:
        """Return what an open line may be, the most likely first; empty if nothing resembles it."""
        from paygate.service import reconcile

        return (yield from reconcile.proposals(arguments.bank_line_id(line, "line")))

    @verb
    def accept_proposal(
        self, line: BankLine | str, proposal: Proposal | str = ""
    ) -> Flow[BankLine]:
        """
        Accept a proposal for a line, by itself or by its id; without one, the only proposal.

        It books what the proposal says: it settles recorded money, records new money, reverses a
        returned check with the bank's charge, or posts a charge. Undo it with `reopen_line`. Raises
        `InvalidValue` if the line does not have that proposal any more.
        """
        from paygate.service import reconcile

        return (
            yield from reconcile.accept(
                arguments.bank_line_id(line, "line"), arguments.proposal_id(proposal, "proposal")
            )
        )

    @verb
    def assign_line(
        self,
        line: BankLine | str,
        items: Sequence[Payable] | Payable = (),
        *,
        reason: str,
        customer: Customer | str | None = None,
        payment: Payment | str | None = None,
    ) -> Flow[BankLine]:
        """
        Say what a line is that no rule matched.

        Money that came pays *items*, and the rest is credit; with *customer* alone, all of it is
        their credit. Money that went is *payment*, a check that was returned: it is reversed. The
        credit of a processor is refused, because its money is in the ledger. Undo it with
        `reopen_line`.
        """
        from paygate.service import reconcile

        return (
            yield from reconcile.assign(
                arguments.bank_line_id(line, "line"),
                arguments.items(items, "items"),
                customer=arguments.maybe(arguments.customer, customer, "customer"),
                payment=arguments.maybe(arguments.payment, payment, "payment"),
                reason=note(reason, "reason"),
            )
        )

    @verb
    def ignore_line(self, line: BankLine | str, *, reason: str) -> Flow[BankLine]:
        """
        Decide that a line concerns no customer, such as the owner's capital.

        Its money stays in the ledger account *unexplained*. Undo it with `reopen_line`.
        """
        from paygate.service import reconcile

        return (
            yield from reconcile.ignore(
                arguments.bank_line_id(line, "line"), reason=note(reason, "reason")
            )
        )

    @verb
    def reopen_line(self, line: BankLine | str, *, reason: str) -> Flow[BankLine]:
        """
        Undo what explains a line, or that it is ignored; it is open again.

        A payment that the line brought is reversed, and a reversal that it caused is undone, by
        their own rules; recorded money is not settled any more.
        """
        from paygate.service import reconcile

        return (
            yield from reconcile.reopen(
                arguments.bank_line_id(line, "line"), reason=note(reason, "reason")
            )
        )

    @verb
    def receipts_not_on_statement(
        self, account: str, *, days: int = 10, limit: int = 100
    ) -> Flow[list[Receipt]]:
        """
        Return money recorded by hand that no statement has after *days*, the oldest first.

        It is listed for a bank account, in whose currency it is; nothing is undone.
        """
        from paygate.service import reconcile

        return (
            yield from reconcile.late(
                arguments.named(account, "account"),
                days=arguments.whole(days, "days"),
                limit=self._page("", limit).limit,
            )
        )


def _currency(currency: str) -> str:
    found = arguments.currency(currency, "currency")
    return found or arguments.refuse("currency", "an ISO 4217 currency code", currency)


def _function(given: object, name: str) -> None:
    if given is not None and not callable(given):
        arguments.refuse(name, "a function", given)


def _encoding(encoding: object) -> str:
    try:
        return codecs.lookup(cast("str", encoding)).name
    except (LookupError, TypeError, ValueError):
        arguments.refuse("encoding", "the name of an encoding, such as utf-8", encoding)


def _columns(columns: object) -> ColumnMap | None:
    from paygate.statements import ColumnMap

    if columns is not None and not isinstance(columns, ColumnMap):
        arguments.refuse("columns", "a ColumnMap", columns)
    return columns


def _payouts(payouts: Mapping[str, str] | None) -> Mapping[str, str]:
    if payouts is not None and not isinstance(cast("object", payouts), Mapping):
        arguments.refuse("payouts", "words by gateway account", payouts)
    found = {} if payouts is None else dict(payouts)
    for name, word in found.items():
        if not isinstance(cast("object", word), str) or not word.strip():
            raise InvalidValue(
                f"payouts gives gateway account {shown_value(name)} no word; name one that is in "
                "the text of the processor's credits",
                argument="payouts",
            )
    return found


def _source(content: bytes | Path | BinaryIO, stack: ExitStack) -> BinaryIO:
    """Return a file that can be read twice."""
    match content:
        case bytes():
            return io.BytesIO(content)
        case Path():
            if not content.is_file():
                raise InvalidValue(
                    f"the file {content} cannot be read: it does not exist", argument="content"
                )
            return stack.enter_context(content.open("rb"))
        case _ if hasattr(content, "seek") and hasattr(content, "read"):
            return content
        case _:
            raise InvalidValue(
                f"content is bytes, a path or a binary file, not {shown_value(content)}",
                argument="content",
            )
