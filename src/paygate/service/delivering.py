"""Delivering: hand one event to a sink or a subscriber, and return why it was not accepted.

Three answers must be kept apart. If the other side was not reached, or said that it is down, it is
silent, and nothing is given up. If it refuses the event, it is asked again for some days. If the
refusal is final, the event is a dead letter at once. Whatever else foreign code raises counts as a
refusal, so it stops neither other events nor other sinks.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, cast

from paygate.dialogue import deferred
from paygate.domain.event import DeliveryOutcome
from paygate.domain.outcome import Fault, Unknown, Unsent
from paygate.driving import contained, raised
from paygate.errors import (
    BadResponse,
    CredentialsRejected,
    EndpointGone,
    EventRefused,
    GatewayError,
    NoResponse,
    NotSent,
    PaygateError,
    Unsupported,
    UsageError,
)
from paygate.ledger.delivery_tries import Tried
from paygate.service.asking import Heard, converse
from paygate.service.flow import Deliver, InThread
from paygate.service.hiding import Hidden
from paygate.service.readers import Subscriber
from paygate.service.secrets import secrets_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from paygate.dialogue import Dialogue
    from paygate.domain.event import Event
    from paygate.service.flow import Flow
    from paygate.service.readers import ConfiguredSink, Reader
    from paygate.sink import Checkable, Delivery

_SILENT: Final = (NotSent, NoResponse, CredentialsRejected)
_UNREACHED: Final = (ConnectionError, TimeoutError)
"""The exceptions by which the host's code reports that its system could not be reached."""


@dataclass(frozen=True, slots=True)
class Failure:
    """
    Why an event was not accepted: `silent` if the reader was not reached, `final` if it is refused.

    `stops` says that the reader wants no more events at all.
    `logged` is the text for the log: the text of a host's own exception may contain a secret.
    `kind` is the error by which a check reports it.
    """

    reason: str
    silent: bool = False
    final: bool = False
    stops: bool = False
    logged: str = ""
    kind: type[PaygateError] | None = None


def is_async(handler: Callable[[Event], Any]) -> bool:
    """Return whether the result of *handler* must be awaited."""
    if inspect.iscoroutinefunction(handler):
        return True
    return inspect.iscoroutinefunction(getattr(handler, "__call__", None))  # noqa: B004


def hand_over(reader: Reader, delivery: Delivery, tried: list[Ended]) -> Flow[Failure | None]:
    """
    Make one delivery; return why the event was not accepted, or None if it was.

    If the reader keeps a log, *tried* gets an entry for it.
    """
    if isinstance(reader, Subscriber):
        return (yield from _call(reader, delivery.event))
    if not reader.traits.keeps_log:
        return (yield from _hand_to_sink(reader, delivery, None))
    heard, began = Heard(), perf_counter()
    failure = yield from _hand_to_sink(reader, delivery, heard)
    tried.append(Ended(delivery.event, failure, heard.status, began, perf_counter()))
    return failure


def look_ahead(reader: Reader, deliveries: Sequence[Delivery]) -> Flow[None]:
    """Let *reader* prepare for *deliveries*; if it cannot, each of them meets the fault itself."""
    if isinstance(reader, Subscriber) or reader.looks_ahead is None:
        return
    prepare = partial(reader.looks_ahead.look_ahead, deliveries)
    yield from _converse(reader, _told(deferred(prepare)), reader.hidden)


@dataclass(frozen=True, slots=True)
class Ended:
    """A try that has ended, by the stopwatch of this process."""

    event: Event
    failure: Failure | None
    status: int | None
    began_s: float
    ended_s: float

    def as_tried(self) -> Tried:
        """Return the entry for the log, which is written now."""
        failure = self.failure
        match failure:
            case None:
                outcome = DeliveryOutcome.DELIVERED
            case Failure(silent=True):
                outcome = DeliveryOutcome.UNREACHED
            case _:
                outcome = DeliveryOutcome.REFUSED
        return Tried(
            event=self.event,
            outcome=outcome,
            error="" if failure is None else failure.reason,
            status=self.status,
            took=timedelta(seconds=self.ended_s - self.began_s),
            ago=timedelta(seconds=perf_counter() - self.ended_s),
        )


def _hand_to_sink(
    reader: ConfiguredSink, delivery: Delivery, heard: Heard | None
) -> Flow[Failure | None]:
    hidden = reader.hidden.about(delivery.contact)
    if reader.http is not None:
        deliver = partial(reader.http.deliver, delivery)
        return (yield from _converse(reader, _told(deferred(deliver)), hidden, heard))
    assert reader.blocking is not None, "a sink has one of the two methods"
    send = partial(reader.blocking.send, delivery)
    failure = yield from _run(InThread(reader.name, send, reader.traits.deadline_s), hidden)
    return _without_new_secrets(reader, failure)


def _converse(
    sink: ConfiguredSink,
    dialogue: Dialogue[Failure | None],
    hidden: Hidden,
    heard: Heard | None = None,
) -> Flow[Failure | None]:
    answer = yield from converse(sink.route, dialogue, hidden=hidden, heard=heard)
    if not isinstance(answer, Unsent | Unknown):
        return answer
    fault = answer.fault or Fault.OTHER
    return Failure(answer.reason, silent=fault.silent, kind=_KINDS[fault])


_KINDS: Final[Mapping[Fault, type[PaygateError]]] = {
    Fault.NOT_SENT: NotSent,
    Fault.NO_RESPONSE: NoResponse,
    Fault.BAD_RESPONSE: BadResponse,
    Fault.CREDENTIALS: CredentialsRejected,
    Fault.OTHER: EventRefused,
}
"""The error by which a check reports a fault of the conversation."""


def _run(step: InThread, hidden: Hidden) -> Flow[Failure | None]:
    try:
        yield step
    except Exception as error:  # noqa: BLE001  (foreign code; its aggregate waits)
        return hidden.blot(_failure_of(error))
    return None


def _without_new_secrets(of: ConfiguredSink, failure: Failure | None) -> Failure | None:
    """Return *failure* without the secrets that the sink has got since it was configured."""
    if failure is None:
        return None
    return Hidden(secrets_in(of.blocking)).blot(failure)


def _told(dialogue: Dialogue[object]) -> Dialogue[Failure | None]:
    """Run a dialogue of a sink, and return what it refuses or does wrong."""
    try:
        yield from contained(dialogue, of=_is_no_exception)
    except (GatewayError, UsageError):
        raise
    except Exception as error:  # noqa: BLE001  (foreign code; its aggregate waits)
        return _failure_of(error)
    return None


def _is_no_exception(error: BaseException) -> bool:
    """Return whether *error* would escape, and comes from the sink, not from the keyboard."""
    return not isinstance(error, Exception | KeyboardInterrupt)


def _call(reader: Subscriber, event: Event) -> Flow[Failure | None]:
    try:
        result = yield Deliver(reader.call, event)
    except Exception as error:  # noqa: BLE001  (the host's code; its aggregate waits)
        return _failure_of(error)
    if inspect.isawaitable(result):
        # Nothing awaits it here, so the work has not been done.
        if inspect.iscoroutine(result):
            result.close()
        return Failure("the subscriber returned an awaitable, which is not awaited here")
    return None


def _failure_of(error: BaseException) -> Failure:
    error = raised(error)
    if isinstance(error, EventRefused):
        return Failure(_text_of(error), final=error.final)
    if isinstance(error, EndpointGone):
        return Failure(_text_of(error), silent=True, stops=True, kind=EndpointGone)
    if isinstance(error, PaygateError):
        kind = type(error) if isinstance(error, GatewayError) else None
        return Failure(_text_of(error), silent=isinstance(error, _SILENT), kind=kind)
    called, silent = type(error).__name__, isinstance(error, _UNREACHED)
    kind = NoResponse if silent else None
    return Failure(f"{called}: {_text_of(error)}", silent=silent, logged=called, kind=kind)


def _text_of(error: BaseException) -> str:
    """Return the text of a foreign exception, which may have none, or one that cannot be stored."""
    try:
        return str(error).encode(errors="replace").decode()
    except Exception:  # noqa: BLE001  (foreign code)
        return "its text cannot be read"


def check(of: ConfiguredSink) -> Flow[None]:
    """Ask the system behind a sink whether its settings work, or raise what is wrong."""
    if of.checkable is None:
        raise Unsupported(f"the sink {of.name!r} cannot check its settings")
    failure = yield from _checked(of, of.checkable)
    if failure is None:
        return
    said = f"the sink {of.name!r}: {failure.reason}"
    raise failure.kind(said) if failure.kind is not None else EventRefused(said)


def _checked(of: ConfiguredSink, checkable: Checkable) -> Flow[Failure | None]:
    if of.http is not None:
        return (yield from _converse(of, _told(deferred(cast("Any", checkable.check))), of.hidden))
    name = f"{of.name} (check)"  # a delivery may be under way
    failure = yield from _run(InThread(name, checkable.check, of.traits.deadline_s), of.hidden)
    return _without_new_secrets(of, failure)
