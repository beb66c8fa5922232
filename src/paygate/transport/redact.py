"""Redaction: what may be logged about an exchange: enough for the person on call, and no secret.

Headers carry credentials, bodies card data, and query values and user info of a URL may carry
anything; none of them is logged or put in an error. A path is shown, because it identifies the
object of the request, but without long runs of digits.
"""

from __future__ import annotations

import logging
import re
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from paygate import logs
from paygate.domain.private import CARD_NUMBER
from paygate.domain.secret import DOTS
from paygate.errors import PaygateError
from paygate.printing import printable
from paygate.request_id import request_id_of
from paygate.transport.errand import Send

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.dialogue import Request, Response
    from paygate.transport.errand import Pause, Token

_DIGEST: Final = re.compile(r"[0-9A-Fa-f]{64,}")

LOGGER: Final = "paygate.transport"

exchanging: Final[ContextVar[bool]] = ContextVar("paygate_exchanging", default=False)
"""True while one of our exchanges is under way."""


def silence_httpcore() -> None:
    """
    Silence httpcore's loggers during our exchanges.

    At DEBUG they show every response header, and the text of an error may quote what the server
    sent. Records about other exchanges in the same process pass.
    """
    for name in ("httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy"):
        noisy = logging.getLogger(name)
        if _not_ours not in noisy.filters:
            noisy.addFilter(_not_ours)


def _not_ours(_: logging.LogRecord) -> bool:
    return not exchanging.get()


def place(url: str) -> str:
    """
    Return host and path of *url*, without user info, query, or anything like a card number.

    A long digest in a path, with which Remita lets anybody ask about a payment, is left out too.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or "?"
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an unreadable address"
    path = _DIGEST.sub(DOTS, parts.path)
    return CARD_NUMBER.sub(DOTS, printable(f"{host}{port}{path}"))


class ExchangeLog:
    """Logs each exchange of an errand: its result, and how long it took."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._started = 0.0

    def before(self, step: Send | Pause | Token) -> None:
        """Record the start time."""
        if isinstance(step, Send):
            self._started = self._seconds()

    def after(self, step: Send | Pause | Token, result: Any) -> None:
        """Log an exchange that was answered."""
        if isinstance(step, Send):
            log_response(step.request, result, self._seconds() - self._started)

    def failed(self, step: Send | Pause | Token, error: BaseException) -> None:
        """Log an exchange that failed; an interrupted one is not logged."""
        if isinstance(step, Send) and isinstance(error, PaygateError):
            log_fault(step.request, error, self._seconds() - self._started)


def log_response(request: Request, response: Response, seconds: float) -> None:
    """Log an exchange that was answered."""
    if not logs.wanted(LOGGER, logs.DEBUG):
        return
    named = request_id_of(request, response)
    text = (
        f"{request.step}: {request.method} {place(request.url)} -> {response.status} in "
        f"{seconds * 1000:.0f} ms, {len(request.body)} bytes out, {len(response.body)} in"
    )
    logs.write(LOGGER, "exchange.answered", text, replace(logs.of_exchange(), request_id=named))


def log_fault(request: Request, fault: PaygateError, seconds: float) -> None:
    """Log an exchange without a readable response."""
    text = (
        f"{type(fault).__name__} after {seconds * 1000:.0f} ms: {fault.message} "
        f"({len(request.body)} bytes out)"
    )
    logs.write(LOGGER, "exchange.failed", text, logs.of_exchange())


def log_retry(request: Request, tries: int, pause_s: float) -> None:
    """Log that a request will be sent for the *tries*-th time."""
    text = f"{request.step}: try {tries} follows in {pause_s * 1000:.0f} ms"
    logs.write(LOGGER, "exchange.repeated", text, logs.of_exchange())
