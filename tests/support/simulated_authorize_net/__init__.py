"""A simulated Authorize.Net, on loopback: for the tests of who takes money through it.

It is ours and not theirs. It keeps accounts of what it was asked, runs their
schema on every request where it is given one, and serves the hosted forms as
pages. What it knows of their rules is what is written about them in public.
"""

from tests.support.simulated_authorize_net.calls import SimulatedAuthorizeNet
from tests.support.simulated_authorize_net.server import serving

__all__ = ["SimulatedAuthorizeNet", "serving"]
