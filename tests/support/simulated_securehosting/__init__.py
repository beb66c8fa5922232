"""
A simulated Secure Hosting: ours, in memory, with a journal; for tests of the driver.

It is written from the protocol sheet and public plug-ins, shares no code with the driver, and has
never been compared with the real one.
"""

from tests.support.simulated_securehosting.account import SimulatedSecureHosting
from tests.support.simulated_securehosting.server import serving

__all__ = ["SimulatedSecureHosting", "serving"]
