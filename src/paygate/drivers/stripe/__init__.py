"""Stripe: cards by token, through PaymentIntents."""

from paygate.drivers.stripe.gateway import Stripe
from paygate.drivers.stripe.settings import StripeSettings

__all__ = ["Stripe", "StripeSettings"]
