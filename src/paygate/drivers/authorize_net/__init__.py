"""Authorize.Net: cards, e-checks, its hosted form, and customer profiles."""

from paygate.drivers.authorize_net.gateway import AuthorizeNet
from paygate.drivers.authorize_net.settings import AuthorizeNetSettings

__all__ = ["AuthorizeNet", "AuthorizeNetSettings"]
