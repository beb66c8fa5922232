"""Lines of bank accounts that wait for a clerk: what each may be, and what the clerk decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.domain.bank_line import LineState
from paygate.errors import RecordNotFound
from paygate.web.desk.pages import DeskPage, Done
from paygate.web.desk.problems import ProblemsError
from paygate.web.desk.showing import words
from paygate.web.desk.views import ActForm, Choice, DeskView, Facts, Go, Input, Note, Table, english
from paygate.web.pages.views import Fact, Problem
from paygate.web.pages.visits import NotThereError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.domain.bank_line import BankLine, Proposal
    from paygate.web.desk.visit import DeskVisit

_MOST: Final = 100
_ASSIGN, _IGNORE, _REOPEN = "assign", "ignore", "reopen"


async def _lines(visit: DeskVisit) -> DeskView:
    found: Sequence[BankLine] = await visit.run(
        visit.cashier.bank_lines, state=LineState.OPEN, limit=_MOST
    )
    table = Table(
        title=english("Lines of the bank that nothing explains"),
        heads=[
            english(each) for each in ("Day", "Amount", "Account", "From or to", "Text", "It is")
        ],
        rows=[
            [
                Go(each.booked.isoformat(), visit.at(f"/bank/{each.id}")),
                each.amount,
                each.account,
                each.party,
                each.text,
                english(words(each.line_class.value)),
            ]
            for each in found
        ],
        empty=english("Every line is explained."),
        numbers=frozenset({1}),
    )
    return DeskView(english("Bank"), [table])


async def _line(visit: DeskVisit) -> DeskView:
    line = await _of_id(visit)
    facts = [
        Fact(english("Amount"), line.amount),
        Fact(english("Day"), line.booked),
        Fact(english("Bank account"), line.account),
        Fact(english("From or to"), line.party),
        Fact(english("Text"), line.text),
        Fact(english("The bank's code"), line.code),
        Fact(english("Check"), line.check),
        Fact(english("It is"), english(words(line.line_class.value))),
        Fact(english("State"), english(words(line.state.value))),
        Fact(english("Note"), line.note),
    ]
    shown = [each for each in facts if each.value]
    if line.state is not LineState.OPEN:
        return DeskView(english("Line of the bank"), [Facts(shown), _reopening(visit, line)])
    proposals: Sequence[Proposal] = await visit.run(visit.cashier.line_proposals, line)
    notes = [] if proposals else [Note(english("Nothing in the ledger resembles it."))]
    return DeskView(
        english("Line of the bank"), [Facts(shown), *notes, _deciding(visit, line, proposals)]
    )


def _reopening(visit: DeskVisit, line: BankLine) -> ActForm:
    return ActForm(
        title=english("Undo it"),
        button=english("Open it again"),
        token=visit.begin(line.state.value),
        inputs=[
            Input(name="do", label=english("What to do"), type="hidden", value=_REOPEN),
            _reason(visit),
        ],
        problems=visit.problems,
    )


def _deciding(visit: DeskVisit, line: BankLine, proposals: Sequence[Proposal]) -> ActForm:
    choices = [
        Choice(each.id, english("{what}: {why}", what=_what(each), why=each.why))
        for each in proposals
    ]
    comes_in = line.amount.minor > 0
    if comes_in:
        choices.append(Choice(_ASSIGN, english("Money for the invoices or the customer below")))
    choices.append(Choice(_IGNORE, english("It concerns no customer")))
    assigning = [
        Input(
            name="invoices",
            label=english("Invoices"),
            value=visit.given("invoices"),
            hint=english("Numbers, separated by spaces"),
        ),
        Input(name="customer", label=english("Customer"), value=visit.given("customer")),
    ]
    return ActForm(
        title=english("What is it?"),
        button=english("Book it"),
        token=visit.begin(line.state.value),
        inputs=[
            Input(
                name="do",
                label=english("It is"),
                type="choice",
                value=visit.given("do"),
                choices=choices,
            ),
            *(assigning if comes_in else []),
            _reason(visit),
        ],
        problems=visit.problems,
    )


def _reason(visit: DeskVisit) -> Input:
    return Input(
        name="reason",
        label=english("Reason"),
        value=visit.given("reason"),
        hint=english("Not needed for a proposal"),
    )


def _what(proposal: Proposal) -> str:
    named = ", ".join(proposal.subjects)
    kind = words(proposal.kind.value)
    whose = f" of {proposal.customer}" if proposal.customer else ""
    return f"{kind} {named}{whose}".strip()


async def _decide(visit: DeskVisit) -> Done:
    line = await _of_id(visit)
    to = visit.at(f"/bank/{line.id}")
    match visit.given("do"):
        case "":
            raise ProblemsError(Problem("do", english("Choose what it is")))
        case "reopen":
            reason = visit.required("reason", "Enter the reason")
            await visit.run(visit.cashier.reopen_line, line, reason=reason)
            return Done(to, english("It is open again."))
        case "ignore":
            reason = visit.required("reason", "Enter the reason")
            await visit.run(visit.cashier.ignore_line, line, reason=reason)
            return Done(to, english("It concerns no customer."))
        case "assign":
            reason = visit.required("reason", "Enter the reason")
            invoices = visit.given("invoices").replace(",", " ").split()
            customer = visit.given("customer") or None
            await visit.run(
                visit.cashier.assign_line, line, invoices, customer=customer, reason=reason
            )
            return Done(to, english("It is booked."))
        case proposal:
            await visit.run(visit.cashier.accept_proposal, line, proposal)
            return Done(to, english("It is booked."))


async def _of_id(visit: DeskVisit) -> BankLine:
    try:
        found: BankLine = await visit.run(visit.cashier.bank_line, visit.params["line"])
    except RecordNotFound:
        raise NotThereError from None
    return found


BANK_PAGES: Final = (
    DeskPage(path="/bank", show=_lines, menu="Bank"),
    DeskPage(path="/bank/{line}", show=_line, act=_decide),
)
"""The pages about lines of bank accounts."""
