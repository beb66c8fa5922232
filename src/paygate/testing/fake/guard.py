"""Guards that keep the fake where it belongs: on a developer's machine, under test."""

from __future__ import annotations

import os
from ipaddress import ip_address

from paygate.errors import InvalidValue, LiveModeMismatch
from paygate.printing import shown


def refuse_production() -> None:
    """Stop a fake from standing where customers pay."""
    if os.environ.get("PAYGATE_ENV", "").strip().lower() == "production":
        raise LiveModeMismatch(
            "PAYGATE_ENV says production, and the fake gateway moves no money: configure the "
            "account of a real gateway, or unset PAYGATE_ENV where you test"
        )


def require_loopback(host: str) -> None:
    """Let the fake listen and talk only where nobody else can reach it."""
    try:
        loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise InvalidValue(
            f"the fake processor lives on loopback only, and {shown(host)} is not; say 127.0.0.1"
        )
