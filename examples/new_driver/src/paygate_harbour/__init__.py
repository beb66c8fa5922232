"""A paygate driver for Harbour Pay."""

from paygate_harbour.gateway import Harbour, Settings

__all__ = ["Harbour", "Settings"]
