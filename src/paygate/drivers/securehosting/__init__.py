"""Secure Hosting and Payments (UPG, now Monek): its hosted page, and charges by token."""

from paygate.drivers.securehosting.gateway import SecureHosting
from paygate.drivers.securehosting.settings import SecureHostingSettings

__all__ = ["SecureHosting", "SecureHostingSettings"]
