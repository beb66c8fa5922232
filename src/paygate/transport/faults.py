"""Faults: what an error during an exchange means for the money.

What a fault proves decides what happens next:

- `NotSent`: not one byte of the request was written to a connection. The name look-up, the
  connection, the tunnel of a proxy or TLS failed, or the deadline passed before.
- `NoResponse`: bytes may have left, and the connection or the deadline ended before a whole
  response arrived. A kept-alive connection that the server had already closed counts too, since
  nothing proves that the server did not read the request.
- `BadResponse`: a response arrived but cannot be read: it is not HTTP, its content encoding is
  unknown or broken, or it has more bytes than any processor's response.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from paygate.errors import GatewayError, NoResponse, NotSent
from paygate.transport import redact
from paygate.transport.reading import ConnectionEnded

if TYPE_CHECKING:
    from paygate.dialogue import Request


def fault_of(request: Request, error: Exception, *, sent: bool) -> GatewayError:
    """Return the fault for *error*, given whether *request* may have been *sent*."""
    where = redact.place(request.url)
    facts: dict[str, Any] = {"step": request.step, "cause": type(error).__name__}
    if isinstance(error, GatewayError):
        return type(error)(f"{request.step}: {where}: {error.message}", **facts)
    if not sent:
        return NotSent(f"{request.step}: nothing was sent to {where}: {_reason(error)}", **facts)
    return NoResponse(f"{request.step}: no whole response from {where}: {_reason(error)}", **facts)


def _reason(error: BaseException) -> str:
    """Return the reason in the system's words; other texts may quote what was received."""
    cause: BaseException | None = error
    while cause is not None:
        match cause:
            case TimeoutError():
                return "the deadline passed"
            case ConnectionEnded():
                return "the connection was closed"
            case OSError():
                # asyncio puts the address into the text; the error number gives the plain message.
                number = cause.errno or 0
                plain = os.strerror(number) if number > 0 else cause.strerror
                words = getattr(cause, "verify_message", "") or plain
                if words:
                    return str(words)
            case _:
                pass
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
