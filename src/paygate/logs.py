"""Logs: the name, the level and the fields of each line.

Every log line of paygate has a name. Most lines report an event of the ledger, under the event's
name; `LINES` lists the others. A line about the ledger is written once, after its
transaction is durable (see `Tx.log`). What a line is about is in its text and in the
fields of its record. No field holds a secret: the fields are ids, names given by the host, and
the processor's own name of a request.
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

    `request_id` is the processor's own id of the request, for its support.
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
"""The fields of every record, in addition to `event`, the name of the line."""

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
    "sink.stopped": WARNING,
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
"""The level of an event's line, if it is not INFO."""


@dataclass(frozen=True, slots=True)
class LineKind:
    """The level and the meaning of a line that reports no event."""

    level: int
    meaning: str


LINES: Final[Mapping[str, LineKind]] = {
    "driver.fault": LineKind(ERROR, "A driver returned or raised something outside the protocol."),
    "account.unusable": LineKind(
        ERROR, "An account of a tenant cannot be used; its other accounts can."
    ),
    "attempt.passed_over": LineKind(
        ERROR, "An attempt, or an automatic payment, cannot be handled; the others continue."
    ),
    "merge.noted": LineKind(WARNING, "A gateway reported something that contradicts the ledger."),
    "callback.refused": LineKind(WARNING, "A callback was refused; nothing of it was stored."),
    "api.key_refused": LineKind(INFO, "A request came without the secret of a live API key."),
    "api.keys_guessed": LineKind(
        WARNING, "One address sends many wrong API keys; it is refused for a minute."
    ),
    "feed.failed": LineKind(
        WARNING, "A feed could not be read, for the first time since it last worked."
    ),
    "sink.unreached": LineKind(WARNING, "A sink or subscriber cannot be reached; its events wait."),
    "sink.reached": LineKind(INFO, "A sink or subscriber can be reached again."),
    "sink.refused": LineKind(INFO, "A sink or subscriber refused an event, for the first time."),
    "sink.dead_letter": LineKind(
        WARNING, "A sink refused an event for the last time; the event is a dead letter."
    ),
    "worker.fault": LineKind(
        ERROR, "A worker cannot look for due work, because the ledger cannot be used."
    ),
    "worker.job_failed": LineKind(ERROR, "A job raised an error; it is due again later."),
    "worker.unserved": LineKind(
        WARNING, "Jobs wait for an account that a worker lacks, or cannot use."
    ),
    "worker.abandoned": LineKind(
        WARNING, "A worker ends, and gives back jobs that are still under way."
    ),
    "worker.tenant_passed_over": LineKind(
        WARNING, "The accounts of a tenant cannot be looked up; a worker leaves it alone for now."
    ),
    "ledger.commit_unknown": LineKind(
        WARNING, "It is not known whether a step was written; its own lines are missing."
    ),
    "ledger.root_forgotten": LineKind(
        WARNING, "A step did not lock what it writes first; it ran again, alone."
    ),
    "telemetry.off": LineKind(
        WARNING, "The API of OpenTelemetry is too old, so no spans and metrics are recorded."
    ),
    "telemetry.fault": LineKind(
        WARNING, "A provider of OpenTelemetry failed, so spans or metrics are missing."
    ),
    "transport.fault": LineKind(
        ERROR, "A transport of the host did something that its contract does not allow."
    ),
    "exchange.failed": LineKind(INFO, "A request got no response, or one that cannot be read."),
    "exchange.repeated": LineKind(INFO, "A request is sent again."),
    "exchange.answered": LineKind(DEBUG, "A request got a response."),
    "verb.repeated": LineKind(
        INFO, "A key was used again: nothing was stored, and nothing was sent."
    ),
    "verb.ended": LineKind(DEBUG, "A verb ended with an error that the host may not have seen."),
}
"""The lines that report no event."""


def level_of(name: str, code: str = "") -> int:
    """Return the level of the line *name*; a failure with *code* ``credentials`` is an error."""
    if code == "credentials":
        return ERROR
    kind = LINES.get(name)
    return LEVELS.get(name, INFO) if kind is None else kind.level


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line, to be written as soon as what it reports is durable."""

    logger: str
    name: str
    level: int
    text: str
    about: About


def wanted(logger: str, level: int) -> bool:
    """Return whether a handler wants lines of this *level*."""
    return logging.getLogger(logger).isEnabledFor(level)


def write(logger: str, name: str, text: str, about: About, *, level: int | None = None) -> None:
    """
    Write a line now.

    No exception leaves this function: a log handler of the host that fails must not make a
    payment look failed.
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
        # The name is part of the template, because error trackers group records by template.
        logging.getLogger(logger).log(loud, f"{name}: %s", shown, extra=extra)  # noqa: G004
    except Exception as error:  # noqa: BLE001  (of the host's handler)
        print(f"paygate: a log handler failed with {type(error).__name__}", file=sys.stderr)  # noqa: T201


def write_lines(lines: list[LogLine]) -> None:
    """Write *lines*, each once; what they report is durable now."""
    for line in lines:
        write(line.logger, line.name, line.text, line.about, level=line.level)


tenant: Final[ContextVar[str]] = ContextVar("paygate_tenant", default="")
"""The tenant for which this thread or task acts."""

_exchange: Final[ContextVar[About]] = ContextVar("paygate_exchange", default=NOTHING)


@contextmanager
def exchanging(about: About) -> Generator[None]:
    """Mark the requests that are sent inside the block as being about *about*."""
    before = _exchange.set(about)
    try:
        yield
    finally:
        _exchange.reset(before)


def of_exchange() -> About:
    """Return what the current request is about."""
    return _exchange.get()
