"""A simulated Stripe, on loopback: for the tests of who takes money through it.

It is ours and not theirs. It keeps the objects of one account, answers a repeated
request as it answered the first, and serves the bank's page and Checkout as pages.
What it knows of their rules is what is written about them in public.
"""

from tests.support.simulated_stripe.calls import SimulatedStripe
from tests.support.simulated_stripe.server import serving

__all__ = ["SimulatedStripe", "serving"]
