"""A paygate driver for Harbour Pay."""

from paygate_harbour.gateway import Harbour
from paygate_harbour.settings import Settings

__all__ = ["Harbour", "Settings"]
