"""Payarena: Unified Payments' page for cards and PayAttitude, in Nigeria."""

from paygate.drivers.payarena.gateway import Payarena
from paygate.drivers.payarena.settings import PayarenaSettings

__all__ = ["Payarena", "PayarenaSettings"]
