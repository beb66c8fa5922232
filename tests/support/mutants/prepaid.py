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
)
