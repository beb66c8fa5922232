"""Skrill: the wallet, through Quick Checkout and the merchant query interface."""

from paygate.drivers.skrill.gateway import Skrill
from paygate.drivers.skrill.settings import SkrillSettings

__all__ = ["Skrill", "SkrillSettings"]
