"""Planted bugs: what the simulator, the crash sweep and the state machine must catch."""

from tests.support.mutants.mutant import Mutant, MutantGone, Patch
from tests.support.mutants.table import MUTANTS

__all__ = ["MUTANTS", "Mutant", "MutantGone", "Patch"]
