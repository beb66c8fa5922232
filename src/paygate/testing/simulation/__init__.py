"""The simulator: the production engine under a seeded scheduler, with faults everywhere.

A seed draws processors, faults and moves. The flows are those that hosts run, and the
ledger is the production store. After every committed step the ledger is audited; when the
faults are over, it is compared with the processors' own truth.
"""

from paygate.testing.simulation.declared import left_out, playable
from paygate.testing.simulation.results import BrokenRule, Result
from paygate.testing.simulation.running import run
from paygate.testing.simulation.shrinking import shrink
from paygate.testing.simulation.sweeping import Summary, sweep

__all__ = [
    "BrokenRule",
    "Result",
    "Summary",
    "left_out",
    "playable",
    "run",
    "shrink",
    "sweep",
]
