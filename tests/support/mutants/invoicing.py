"""Bugs of invoices: an order is invoiced twice, or a series has a gap or gives a number twice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from paygate.testing.simulation.bias import Bias
from tests.support.mutants.mutant import Mutant, Patch, without

if TYPE_CHECKING:
    from paygate.ledger.tx import Tx


def _forgets_orders(original: Any) -> Any:
    """Take the key of an order without storing it."""

    def take(tx: Tx, operation: str, *facts: str) -> Any:
        return None if operation == "order" else original.take(tx, operation, *facts)

    return SimpleNamespace(**{**vars(original), "take": take})


_COUNT: Final = "value = paygate_sequence.value + 1"
_RUNNING: Final = Bias(actions={"invoice run": 30, "draft": 10, "finalize": 20})

MUTANTS: Final = (
    Mutant(
        name="a-run-issues-twice",
        plants="the key of an order is not stored with its invoice",
        breaks="an order is invoiced once, however often it is read",
        shows="a run dies after a group, or another run reads the same order",
        patches=(Patch("service.issue", "keys", _forgets_orders),),
        bias=_RUNNING,
    ),
    Mutant(
        name="a-number-is-given-twice",
        plants="the count of a series stays the same now and then",
        breaks="a series gives each number once",
        shows="the third invoice of a series",
        patches=(
            Patch(
                "ledger.keys",
                "_SEQUENCE",
                without(
                    _COUNT,
                    "value = paygate_sequence.value"
                    " + CASE paygate_sequence.value % 3 WHEN 2 THEN 0 ELSE 1 END",
                ),
            ),
        ),
        bias=_RUNNING,
    ),
    Mutant(
        name="a-series-has-a-gap",
        plants="the count of a series skips a number now and then",
        breaks="a series has no gap",
        shows="the third invoice of a series",
        patches=(
            Patch(
                "ledger.keys",
                "_SEQUENCE",
                without(
                    _COUNT,
                    "value = paygate_sequence.value"
                    " + CASE paygate_sequence.value % 3 WHEN 2 THEN 2 ELSE 1 END",
                ),
            ),
        ),
        bias=_RUNNING,
    ),
)
