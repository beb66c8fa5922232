"""Observing: what happens to the exchanges of an errand, for the log and for telemetry."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from paygate import logs, telemetry
from paygate.dialogue import Response
from paygate.sink import ROUTE
from paygate.telemetry import Attribute, Shape
from paygate.transport.errand import Send
from paygate.transport.redact import ExchangeLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.dialogue import Request
    from paygate.driving import Observer
    from paygate.telemetry import Recorded
    from paygate.transport.errand import Pause, Token

_PORTS: Final = {"http": 80, "https": 443}
_BAD_STATUS: Final = 400
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z_.-]{0,39}")
"""The name of a step; one with digits may contain an id, and is not recorded."""


def observer(seconds: Callable[[], float]) -> Observer[Send | Pause | Token]:
    """Return the observer of one errand."""
    log = ExchangeLog(seconds)
    return _Both(log, ExchangeSpans()) if telemetry.is_acting() else log


class _Both:
    """Passes on what it sees to two observers."""

    def __init__(self, log: ExchangeLog, spans: ExchangeSpans) -> None:
        self._log, self._spans = log, spans

    def before(self, step: Send | Pause | Token) -> None:
        self._log.before(step)
        self._spans.before(step)

    def after(self, step: Send | Pause | Token, result: Any) -> None:
        self._spans.after(step, result)
        self._log.after(step, result)

    def failed(self, step: Send | Pause | Token, error: BaseException) -> None:
        self._spans.failed(step, error)
        self._log.failed(step, error)


class ExchangeSpans:
    """Records each exchange of an errand, with the host and the status but nothing it carries."""

    def __init__(self) -> None:
        self._begun: Recorded | None = None
        self._sent = 0

    def before(self, step: Send | Pause | Token) -> None:
        """Begin to record an exchange."""
        if isinstance(step, Send):
            self._begun = telemetry.begin(Shape.EXCHANGE, _facts(step.request, self._sent))
            self._sent += 1

    def after(self, step: Send | Pause | Token, result: Any) -> None:
        """Record an exchange that was answered; a status of 400 or more is an error."""
        if isinstance(step, Send) and self._begun is not None:
            facts: dict[Attribute, str | int] = {}
            bad = False
            if isinstance(result, Response):
                facts[Attribute.STATUS] = result.status
                bad = result.status >= _BAD_STATUS
            if bad:
                facts[Attribute.ERROR] = str(result.status)
            self._begun.end(facts, failed=bad)

    def failed(self, step: Send | Pause | Token, error: BaseException) -> None:
        """Record an exchange that failed."""
        if isinstance(step, Send) and self._begun is not None:
            self._begun.end({Attribute.ERROR: type(error).__name__}, failed=True)


def _facts(request: Request, sent: int) -> dict[Attribute, str | int]:
    facts: dict[Attribute, str | int] = {
        Attribute.METHOD: request.method,
        Attribute.STEP: request.step if _NAME.fullmatch(request.step) else "",
    }
    if not request.public_only:  # its host is the text of a stranger
        facts |= _server(request.url)
    account = logs.of_exchange().account
    if account.startswith(ROUTE):
        facts[Attribute.SINK] = account.removeprefix(ROUTE)
    else:
        facts[Attribute.ACCOUNT] = account
    if sent:
        facts[Attribute.RESENT] = sent
    return facts


def _server(url: str) -> dict[Attribute, str | int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return {}
    if not host or port is None:
        return {}
    return {Attribute.ADDRESS: host, Attribute.PORT: port}
