"""The signature of a webhook, after the Standard Webhooks scheme (standardwebhooks.com)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paygate.driver import Secret


def signed_headers(
    id_: str, seconds: int, body: bytes, keys: Iterable[Secret[bytes]]
) -> dict[str, str]:
    """Return the three headers of the scheme: id, time, and one signature for each of *keys*."""
    content = f"{id_}.{seconds}.".encode() + body
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(f"v1,{_signature(key, content)}" for key in keys),
    }


def _signature(key: Secret[bytes], content: bytes) -> str:
    digest = hmac.new(key.reveal(), content, hashlib.sha256).digest()
    return base64.b64encode(digest).decode("ascii")
