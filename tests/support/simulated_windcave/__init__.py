"""
A simulated Windcave: ours, in memory, with a journal; for tests of the driver.

It is written from the protocol sheet and public samples, shares no code with the driver, and has
never been compared with the real one.
"""

from tests.support.simulated_windcave.account import SimulatedWindcave
from tests.support.simulated_windcave.server import serving

__all__ = ["SimulatedWindcave", "serving"]
