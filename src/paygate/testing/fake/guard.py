"""Guards that keep the fake out of production and off the network."""

from __future__ import annotations

import os
from ipaddress import ip_address

from paygate.errors import InvalidValue, LiveModeMismatch
from paygate.printing import shown


def refuse_production() -> None:
    """Raise `LiveModeMismatch` if PAYGATE_ENV says production."""
    if os.environ.get("PAYGATE_ENV", "").strip().lower() == "production":
        raise LiveModeMismatch(
            "PAYGATE_ENV is production, and the fake gateway moves no money: configure the account "
            "of a real gateway, or unset PAYGATE_ENV in the test environment"
        )


def require_loopback(host: str) -> None:
    """Raise `InvalidValue` unless *host* is a loopback address."""
    try:
        loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise InvalidValue(
            f"the fake processor works on loopback only, and {shown(host)} is not a loopback "
            "address; use 127.0.0.1"
        )
