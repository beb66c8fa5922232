"""Bodies: the bytes of a response or a callback, before they are parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.errors import BadResponse

if TYPE_CHECKING:
    from paygate.dialogue import Response


def body_of(source: Response | bytes, by: str, wanted: str, bytes_max: int) -> bytes:
    """Return the bytes of a response or a callback; raise `BadResponse` above *bytes_max*."""
    body = source if isinstance(source, bytes) else source.body
    if len(body) > bytes_max:
        raise unreadable(source, by, wanted)
    return body


def unreadable(source: Response | bytes, by: str, wanted: str) -> BadResponse:
    """Return the error for a body that is not *wanted*; it never quotes the body."""
    if isinstance(source, bytes):
        return BadResponse(f"{by}: expected {wanted}, got {len(source)} other bytes")
    return BadResponse(
        f"{by}: status {source.status}: expected {wanted}, got {len(source.body)} other bytes",
        status=source.status,
    )
