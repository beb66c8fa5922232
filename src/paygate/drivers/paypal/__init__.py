"""PayPal: the wallet, through Orders v2, Payments v2 and Vault v3."""

from paygate.drivers.paypal.gateway import PayPal
from paygate.drivers.paypal.settings import PayPalSettings

__all__ = ["PayPal", "PayPalSettings"]
