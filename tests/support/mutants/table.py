"""Every planted bug, by where in the life of a payment it bites."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.support.mutants import (
    automatic,
    doubt,
    dunning,
    endings,
    invoicing,
    linked,
    money,
    prepaid,
    sending,
    telling,
)

if TYPE_CHECKING:
    from tests.support.mutants.mutant import Mutant

MUTANTS: Final[tuple[Mutant, ...]] = (
    *sending.MUTANTS,
    *doubt.MUTANTS,
    *money.MUTANTS,
    *prepaid.MUTANTS,
    *linked.MUTANTS,
    *invoicing.MUTANTS,
    *endings.MUTANTS,
    *telling.MUTANTS,
    *automatic.MUTANTS,
    *dunning.MUTANTS,
)
"""The planted bugs, each under a name of its own."""
