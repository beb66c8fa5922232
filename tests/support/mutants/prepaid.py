"""Bugs of prepayments: money that two invoices take, or another's, or that is asked for twice."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from paygate.testing.simulation.bias import Bias
from tests.support.mutants.mutant import Mutant, Patch

if TYPE_CHECKING:
    from paygate.ledger.tx import Tx


def _stays_there(original: Any) -> Any:
    """Leave the allocation of the prepayment when its money moves."""

    def reduce(*_: Any) -> None:
        pass

    return SimpleNamespace(**{**vars(original), "reduce": reduce})


def _whoever_owns_it(original: Any) -> Any:
    del original

    def own_key(tx: Tx, currency: str, key: str, customer: str) -> None:
        import_module("paygate.ledger.prepayments").own_key(tx, currency, key, customer)

    return own_key


def _for_whomever(original: Any) -> Any:
    del original

    def on_issue(tx: Tx, invoice: Any) -> bool:
        assignment = vars(import_module("paygate.service.assignment"))
        found = assignment["prepayments"].with_key(
            tx, invoice.total.currency, invoice.assignment_key
        )
        moved = [assignment["_assign"](tx, each, invoice.id, issued=True) for each in found]
        return any(moved)

    return on_issue


def _remains_open(original: Any) -> Any:
    def replace(tx: Tx, id_: str, by: str | None) -> None:
        if by is None:
            original(tx, id_, by)

    return replace


def _forgets(original: Any) -> Any:
    """Let a claim forget the prepayment that it was on."""

    def redirect(tx: Tx, payment: str, claim: Any, item: str, minor: int, **_: Any) -> None:
        original(tx, payment, claim, item, minor, prepayment=None)

    return redirect


def _reports_what_it_closes(original: Any) -> Any:
    """Report that an invoice took the place of a prepayment only if that could still be paid."""

    def emit(tx: Tx, type_: str, prepayment: Any, **more: object) -> None:
        if type_ != "prepayment.replaced" or more["closed_minor"]:
            original(tx, type_, prepayment, **more)

    return emit


def _does_nothing(original: Any) -> Any:
    del original

    def nothing(*_: Any) -> None:
        pass

    return nothing


_WRONG: Final = Bias(actions={"wrong invoice": 40})
_PREPAYING: Final = Bias(actions={"prepaid order": 40})

MUTANTS: Final = (
    Mutant(
        name="prepaid-money-is-assigned-twice",
        plants="the money of a prepayment stays on it when an invoice takes it",
        breaks="money is on the prepayment or on an invoice, never on both",
        shows="an invoice with the key of a paid prepayment is issued",
        patches=(Patch("service.assignment", "allocations", _stays_there),),
        bias=_PREPAYING,
    ),
    Mutant(
        name="prepaid-by-somebody-else",
        plants="an invoice takes the money of whoever prepaid with its key",
        breaks="an assignment key belongs to one customer",
        shows="two customers have the same key",
        patches=(
            Patch("service.assignment", "own_key", _whoever_owns_it),
            Patch("service.assignment", "on_issue", _for_whomever),
        ),
        bias=_PREPAYING,
    ),
    Mutant(
        name="rest-of-a-prepayment-stays-open",
        plants="a prepayment can be paid as well as the invoice that took its place",
        breaks="assignment to an invoice closes the unpaid rest of the prepayment",
        shows="an invoice takes the money of a prepayment that is paid in part",
        patches=(Patch("ledger.prepayments", "replace", _remains_open),),
        bias=_PREPAYING,
    ),
    Mutant(
        name="money-under-way-forgets-its-prepayment",
        plants="a payment under way becomes one of the invoice, and no longer of its prepayment",
        breaks="it does not matter whether a payment ends before its invoice is issued or after",
        shows="the invoice was wrong and is voided after the payment has ended",
        patches=(Patch("ledger.claims", "redirect", _forgets),),
        bias=_WRONG,
    ),
    Mutant(
        name="prepaid-alongside-an-open-invoice",
        plants="a prepayment can be paid although an invoice with its key is open",
        breaks="one purpose is paid once",
        shows="a prepayment is made after the invoice with its key",
        patches=(Patch("service.assignment", "on_prepay", _does_nothing),),
        bias=_WRONG,
    ),
    Mutant(
        name="waits-alongside-an-open-invoice",
        plants="an invoice that is open again takes no money that waits with its key",
        breaks="no money waits while an invoice with its key has room for it",
        shows="a return, or the end of another payment, opens the invoice",
        patches=(Patch("service.freed", "take_up", _does_nothing),),
        bias=Bias(actions={"bounced check": 40}),
    ),
    Mutant(
        name="another-invoice-in-its-place-is-not-reported",
        plants="an invoice takes the place of a prepayment on which nothing is open, unreported",
        breaks="each committed change is delivered",
        shows="a second invoice has the key, and takes no money of the prepayment",
        patches=(Patch("service.assignment", "_emit", _reports_what_it_closes),),
        bias=_WRONG,
    ),
)
