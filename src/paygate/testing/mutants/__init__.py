"""Planted bugs: what the simulator, the crash sweep and the state machine must catch."""

from paygate.testing.mutants.mutant import Mutant, MutantGone, Patch
from paygate.testing.mutants.table import MUTANTS

__all__ = ["MUTANTS", "Mutant", "MutantGone", "Patch"]
