"""A simulated PayPal, on loopback or in the process of a test: for who takes money through it.

It is ours and not theirs. It keeps the objects of one account, and a journal of them on disk if it
is given a place, answers a repeated request as it answered the first, and serves the payer's page.
What it knows of their rules is what is written about them in public.
"""

from tests.support.simulated_paypal.calls import SimulatedPayPal
from tests.support.simulated_paypal.server import serving

__all__ = ["SimulatedPayPal", "serving"]
