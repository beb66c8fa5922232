"""Origins: the part of an address by which browsers decide who may do what (RFC 6454)."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

_HOST: Final = re.compile(r"[a-z\d.-]+|[a-f\d:]+")


def origin_of(url: str) -> str:
    """Return the origin of *url*, as browsers write it: without the port that is usual.

    Raises `ValueError` for a text that is no URL.
    """
    parts = urlsplit(url)
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port in (None, usual) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def is_origin(text: str) -> bool:
    """Return whether *text* is an origin as a browser writes it, by https or on this machine."""
    try:
        parts = urlsplit(text)
        written = origin_of(text)
    except ValueError:
        return False
    host = parts.hostname or ""
    near = host in {"127.0.0.1", "localhost", "::1"} or host.endswith(".invalid")
    safe = parts.scheme == "https" or (parts.scheme == "http" and near)
    return safe and bool(_HOST.fullmatch(host)) and written == text
