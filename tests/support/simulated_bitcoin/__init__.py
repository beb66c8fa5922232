"""A simulated Bitcoin node, on loopback: for trying out and testing who takes bitcoin.

It is ours: a chain without proof of work, whose coins come from nowhere. It answers the calls of
Bitcoin Core's RPC that need no wallet, as far as they are needed to watch a chain. What it knows
of transactions and blocks is what is written about them in public.
"""

from tests.support.simulated_bitcoin.node import SimulatedNode
from tests.support.simulated_bitcoin.server import serving

__all__ = ["SimulatedNode", "serving"]
