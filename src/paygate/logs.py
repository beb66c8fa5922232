"""Logs: what each line is called, how loud it is, and what it carries.

Every line of paygate has a name. Most of them tell an event of the ledger, by the event's own
name; `LINES` lists those that are no event. A line about the ledger is written after its
transaction is durable, and once (see `Tx.say`). What a line is about stands in its text and as
fields of its record, and no field holds a secret: they are ids, names of the host's own, and
what the processor calls a request.
"""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final

from paygate.printing import printable

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

DEBUG, INFO, WARNING, ERROR = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a line is about; each of these is a field of its record, empty if it does not apply.

    `request_id` is the processor's own name of the request, for its support.
    """

    tenant: str = ""
    account: str = ""
    payment: str = ""
    attempt: str = ""
    operation: str = ""
    request_id: str = ""

    def __str__(self) -> str:
        told = {name: getattr(self, name) for name in FIELDS}
        return " ".join(f"{name}={printable(text)}" for name, text in told.items() if text)


FIELDS: Final = tuple(field.name for field in fields(About))
"""The fields of every record, beside `event`, the name of the line."""

NOTHING: Final = About()

LEVELS: Final[Mapping[str, int]] = {
    "account.credentials_rejected": ERROR,
    "payment.unknown": WARNING,
    "payment.needs_review": WARNING,
    "payment.conflicted": WARNING,
    "payment.alert": WARNING,
    "payment.late_success": WARNING,
    "payment.unsettled": WARNING,
    "payment.same_reference": WARNING,
    "payment.capture_failed": WARNING,
    "payment.void_failed": WARNING,
    "payment.refund_failed": WARNING,
    "payment.disputed": WARNING,
    "payment.charged_back": WARNING,
    "payment.chargeback_lost": WARNING,
    "method.unknown": WARNING,
    "method.needs_review": WARNING,
    "method.delete_failed": WARNING,
    "callback.orphaned": WARNING,
    "callback.failed": WARNING,
    "callback.conflicted": WARNING,
    "feed.failing": WARNING,
    "ledger.sending_stopped": WARNING,
    "payment.started": DEBUG,
    "payment.seen": DEBUG,
    "invoice.generated": DEBUG,
    "invoice.paid": DEBUG,
    "invoice.partially_paid": DEBUG,
    "invoice.reopened": DEBUG,
    "receipt.booked": DEBUG,
    "receipt.settled": DEBUG,
    "credit.created": DEBUG,
    "credit.used": DEBUG,
    "credit.returned": DEBUG,
    "credit.canceled": DEBUG,
}
"""How loud the line of an event is; of every other event it is INFO."""


@dataclass(frozen=True, slots=True)
class LineKind:
    """How loud a line is that tells no event, and what it means."""

    level: int
    meaning: str


LINES: Final[Mapping[str, LineKind]] = {
    "driver.fault": LineKind(ERROR, "A driver returned or raised what the protocol does not know."),
    "attempt.passed_over": LineKind(
        ERROR, "What was found out about an attempt cannot be written; the others go on."
    ),
    "merge.noted": LineKind(WARNING, "A gateway said something that does not fit what is known."),
    "callback.refused": LineKind(WARNING, "A callback was refused; nothing of it was kept."),
    "feed.failed": LineKind(
        WARNING, "A feed could not be read, for the first time since it could."
    ),
    "sink.unreached": LineKind(WARNING, "A sink or subscriber cannot be reached; its events wait."),
    "sink.reached": LineKind(INFO, "A sink or subscriber that could not be reached answers again."),
    "sink.refused": LineKind(INFO, "A sink or subscriber refused an event, for the first time."),
    "sink.dead_letter": LineKind(
        WARNING, "An event was given up for a sink, after its last refusal."
    ),
    "ledger.commit_unknown": LineKind(
        WARNING, "It is not known whether a step was written; its own lines are missing."
    ),
    "exchange.failed": LineKind(INFO, "A request was not answered, or not legibly."),
    "exchange.repeated": LineKind(INFO, "A request is sent again."),
    "exchange.answered": LineKind(DEBUG, "A request was answered."),
    "verb.repeated": LineKind(
        INFO, "A key was used again: nothing was stored, and nothing was sent."
    ),
    "verb.ended": LineKind(DEBUG, "A verb ended with an error, and perhaps nobody waited for it."),
}
"""The lines that tell no event."""


def level_of(name: str, code: str = "") -> int:
    """Return how loud the line *name* is; what failed by wrong credentials is an error."""
    if code == "credentials":
        return ERROR
    kind = LINES.get(name)
    return LEVELS.get(name, INFO) if kind is None else kind.level


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line, to be written when what it tells is true."""

    logger: str
    name: str
    level: int
    text: str
    about: About


def wanted(logger: str, level: int) -> bool:
    """Return whether anybody wants to read lines of this *level*."""
    return logging.getLogger(logger).isEnabledFor(level)


def write(logger: str, name: str, text: str, about: About, *, level: int | None = None) -> None:
    """
    Write a line now.

    Nothing comes out of this: a handler of the host's that fails must not make a payment look
    as if it had failed.
    """
    loud = level_of(name) if level is None else level
    if not wanted(logger, loud):
        return
    if not about.tenant:
        about = replace(about, tenant=tenant.get())
    suffix = str(about)
    shown = f"{printable(text)} [{suffix}]" if suffix else printable(text)
    extra = {field: getattr(about, field) for field in FIELDS} | {"event": name}
    try:
        # The name stands in the template, by which collectors of errors group what they get.
        logging.getLogger(logger).log(loud, f"{name}: %s", shown, extra=extra)  # noqa: G004
    except Exception as error:  # noqa: BLE001  (of the host's handler)
        print(f"paygate: a log handler failed with {type(error).__name__}", file=sys.stderr)  # noqa: T201


def write_lines(lines: list[LogLine]) -> None:
    """Write *lines*, each once: what they tell is durable now."""
    for line in lines:
        write(line.logger, line.name, line.text, line.about, level=line.level)


tenant: Final[ContextVar[str]] = ContextVar("paygate_tenant", default="")
"""On whose behalf this thread or task acts."""

_exchange: Final[ContextVar[About]] = ContextVar("paygate_exchange", default=NOTHING)


@contextmanager
def exchanging(about: About) -> Generator[None]:
    """Say what the requests are about that are sent inside."""
    before = _exchange.set(about)
    try:
        yield
    finally:
        _exchange.reset(before)


def of_exchange() -> About:
    """Return what the request is about that is being sent."""
    return _exchange.get()
