"""Remita: invoices with a retrieval reference (RRR), paid by card, at a bank, or by transfer."""

from paygate.drivers.remita.gateway import Remita
from paygate.drivers.remita.settings import RemitaSettings

__all__ = ["Remita", "RemitaSettings"]
