"""What may be told about an exchange: enough for the person on call, and no secret.

Headers carry credentials, bodies card data, query values and user info in a URL
anything; none of them is logged or put in an error. A path is shown, because it
tells which object the request was about, but long digit runs in it are not.
"""

from __future__ import annotations

import logging
import re
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from paygate.domain.secret import DOTS
from paygate.domain.text import printable

if TYPE_CHECKING:
    from paygate.dialogue import Request, Response
    from paygate.errors import PaygateError

logger: Final = logging.getLogger("paygate.transport")

REQUEST_ID_HEADERS: Final = ("request-id", "x-request-id", "paypal-debug-id", "x-correlation-id")
"""Where processors put their own name of the request; their support asks for it."""

# What may be a key, a token or a password: a peer that repeats one in a header is not quoted.
_WORD = re.compile(r"[A-Za-z0-9_\-]{6,}")

# A card number has 12 to 19 digits (ISO/IEC 7812), and some people write it in groups.
_CARD_NUMBER = re.compile(r"\d(?:[ -]?\d){11,}")

exchanging: Final[ContextVar[bool]] = ContextVar("paygate_exchanging", default=False)
"""Set while an exchange of ours is under way."""


def silence_httpcore() -> None:
    """
    Keep httpcore's loggers quiet about our exchanges.

    At DEBUG they show every response header, and an error's text may quote what
    the server sent. Records of other exchanges in the same process pass.
    """
    for name in ("httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy"):
        noisy = logging.getLogger(name)
        if _not_ours not in noisy.filters:
            noisy.addFilter(_not_ours)


def _not_ours(_: logging.LogRecord) -> bool:
    return not exchanging.get()


def place(url: str) -> str:
    """Tell host and path of *url*, without user info, query, or anything like a card number."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or "?"
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an unreadable address"
    return _CARD_NUMBER.sub(DOTS, printable(f"{host}{port}{parts.path}"))


def tell_answer(request: Request, response: Response, seconds: float) -> None:
    """Log an exchange that was answered."""
    if logger.isEnabledFor(logging.DEBUG):
        headers = response.headers
        named = next((headers[name] for name in REQUEST_ID_HEADERS if name in headers), "")
        logger.debug(
            "%s: %s %s -> %d in %.0f ms, %d bytes out, %d in%s",
            request.step,
            request.method,
            place(request.url),
            response.status,
            seconds * 1000,
            len(request.body),
            len(response.body),
            f", request id {_request_id(named, request)}" if named else "",
        )


def _request_id(named: str, request: Request) -> str:
    """Return the processor's name of *request*, if it does not repeat what was sent."""
    sent = [request.body.decode("utf-8", "replace"), request.url]
    sent += [
        value
        for name, value in request.headers.items()
        if name.lower() not in (*REQUEST_ID_HEADERS, "idempotency-key")
    ]
    words = {word for text in sent for word in _WORD.findall(text)}
    if any(word in named for word in words):
        return DOTS
    return _CARD_NUMBER.sub(DOTS, printable(named[:100]))


def tell_fault(request: Request, fault: PaygateError, seconds: float) -> None:
    """Log an exchange that was not answered, or not legibly."""
    text = printable(fault.message)
    logger.info("%s after %.0f ms: %s", type(fault).__name__, seconds * 1000, text)
    logger.debug("%s carried %d bytes", request.step, len(request.body))


def tell_repetition(request: Request, tries: int, pause_s: float) -> None:
    """Log that a request is sent again, for the *tries*-th time."""
    logger.info("%s: try %d follows in %.0f ms", request.step, tries, pause_s * 1000)
