"""Flows: use cases as generators that hold nothing open while they wait.

A flow yields a `Step` and is sent its result; the runner (sync, async, simulator) decides how a
step is executed. A flow speaks to a driver only through `ask`, which translates every fault into
what is known about the money: before the request that moves money has left, a fault is `Unsent`;
after that it is `Unknown`.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, cast

from paygate import logs
from paygate.domain.outcome import Fault, Unknown, Unsent
from paygate.errors import (
    BadResponse,
    CommitUnknown,
    CredentialsRejected,
    GatewayError,
    NoResponse,
    NotSent,
    PaygateError,
    UsageError,
)
from paygate.printing import place_of
from paygate.request_id import request_id_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.dialogue import Dialogue, Request, Response
    from paygate.domain.event import Event
    from paygate.ledger.elapsed import Lease
    from paygate.ledger.tx import Tx
    from paygate.service.door import Door
    from paygate.service.hiding import Hidden

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Write:
    """Run *work* in one durable transaction; it may run twice and must only change rows."""

    work: Callable[[Tx], Any]


@dataclass(frozen=True, slots=True)
class Read:
    """Run *work*, which changes nothing, on one consistent state."""

    work: Callable[[Tx], Any]


@dataclass(frozen=True, slots=True)
class Exchange:
    """Send *request* for gateway account *account*, unless *lease* has ended."""

    account: str
    request: Request
    lease: Lease | None = None
    about: logs.About = logs.NOTHING


@dataclass(frozen=True, slots=True)
class Deliver:
    """Pass *event* to a subscriber in this process."""

    subscriber: Callable[[Event], Any]
    event: Event


Step: TypeAlias = Write | Read | Exchange | Deliver

Flow: TypeAlias = Generator[Step, Any, T]
"""A use case that ends in a T."""


@dataclass(slots=True)
class Heard:
    """The processor's id of the request that moved money, or else of the last one."""

    request_id: str = ""
    _moved: bool = False

    def hear(self, request: Request, response: Response, hidden: Hidden) -> None:
        """Store the processor's id of *request*, if the response has one."""
        if self._moved:
            return
        self._moved = request.moves_money
        self.request_id = hidden.said(request_id_of(request, response))


def transact(work: Callable[[Tx], T]) -> Flow[T]:
    """Run *work* in one durable transaction."""
    return cast("T", (yield Write(work)))


def repeatable(work: Callable[[Tx], T]) -> Flow[T]:
    """
    Run *work*, which changes nothing if it was done before, in one durable transaction.

    If the answer to its COMMIT is lost, it runs again and finds what it did.
    """
    for _ in range(_TRIES):
        try:
            return (yield from transact(work))
        except CommitUnknown:
            continue
    return (yield from transact(work))


def intend(work: Callable[[Tx], T], attempt_of: Callable[[T], str]) -> Flow[T]:
    """
    Store an intent in one durable transaction, and return what *work* returned.

    If the answer to its COMMIT is lost, nobody knows whether the intent is stored, and sending
    without one could charge twice. The id of its attempt decides: each run of *work* draws a new
    random id, so if the attempt is in the ledger, the intent is ours and its request can be sent.
    Otherwise *work* runs again; if another process has used the caller's key in the meantime, it
    finds that process's payment.
    """
    for _ in range(_TRIES):
        try:
            return (yield from transact(work))
        except CommitUnknown as lost:
            intent: T = lost.result
        id_ = attempt_of(intent)
        if id_ and (yield from look(_is_stored(id_))):
            return intent
    return (yield from transact(work))


_TRIES: Final = 2
"""How often a transaction of unknown effect is tried before the last try."""


def look(work: Callable[[Tx], T]) -> Flow[T]:
    """Run *work*, which changes nothing."""
    return cast("T", (yield Read(work)))


def ask(
    account: str,
    dialogue: Dialogue[T],
    *,
    door: Door[T] | None = None,
    hidden: Hidden | None = None,
    about: logs.About = logs.NOTHING,
    heard: Heard | None = None,
    lease: Lease | None = None,
    all_matter: bool = False,
) -> Flow[T | Unsent | Unknown]:
    """
    Run *dialogue* with a gateway account (or a sink) and return its result.

    No fault escapes, neither of the network nor of the driver's code, because the claims of an
    operation must not depend on them. The result must pass *door*; anything else is a fault of the
    driver, and flagged.

    *lease* is the right to send: a process that was suspended does not send late, nor open a page
    that nobody waits for. After the request that moves money, the dialogue may take its time. With
    *all_matter* every request counts as that one: storing a card moves no money, but losing track
    of it still matters.

    *hidden* (by default the account's secrets) and the credentials in the requests are removed from
    everything that is returned, however the other side repeats them. *about* identifies the attempt
    in the log; a reference that the processor assigns is stored on it. *heard* receives the
    processor's id of the request.
    """
    from paygate.dialogue import NOTED, Note
    from paygate.service import door as doors
    from paygate.service.fitting import Foreign
    from paygate.service.hiding import NOTHING
    from paygate.service.secrets import credentials_of

    # One loop, despite its many branches: the branch of a fault, and whether `sent` was set before
    # it, are what is known about the money, and both should be visible at a glance.
    sent = False
    if hidden is None:
        hidden = NOTHING if door is None else door.hidden
    driver = "" if door is None else door.driver
    about = about if about.account else replace(about, account=account)
    if not doors.dialogue(dialogue):
        doors.log_fault(about, driver, "it returned no dialogue")
        return _bug("the driver returned no dialogue", sent=sent)
    try:
        step = doors.step(next(dialogue))
        while True:
            if isinstance(step, Note):
                if about.attempt and step.reference:
                    yield from transact(_note(about.attempt, hidden.blot(step.reference)))
                step = doors.step(dialogue.send(NOTED))
                continue
            hidden = hidden.also(credentials_of(step))
            try:
                response = cast(
                    "Response",
                    (yield Exchange(account, step, None if sent else lease, about)),
                )
            except NotSent as fault:
                step = doors.step(dialogue.throw(fault))
            except GatewayError as fault:
                sent = sent or step.moves_money or all_matter
                step = doors.step(dialogue.throw(fault))
            except UsageError:
                raise  # refused by us before anything left, such as an invalid URL
            except Exception:
                sent = sent or step.moves_money or all_matter  # it may have been sent
                raise
            else:
                sent = sent or step.moves_money or all_matter
                if heard is not None:
                    heard.hear(step, response, hidden)
                step = doors.step(dialogue.send(response))
    except StopIteration as end:
        return _admitted(about, end.value, door, hidden, sent=sent)
    except Foreign as fault:
        doors.log_fault(about, driver, str(fault))
        return _bug(f"the driver is at fault: {fault}", sent=sent)
    except PaygateError as fault:
        what = _fault_of(fault)
        return hidden.blot(_fault(sent=sent, reason=f"{_SAYS[what]}: {fault}", fault=what))
    except Exception as bug:  # noqa: BLE001  (a driver's bug must not lock an invoice)
        # Only the type and the place: the text of a foreign exception may contain a secret.
        doors.log_fault(about, driver, place_of(bug))
        return _bug(f"the driver failed with {type(bug).__name__}", sent=sent)
    finally:
        _close(dialogue, about, driver)


def _admitted(
    about: logs.About, value: Any, door: Door[T] | None, hidden: Hidden, *, sent: bool
) -> T | Unsent | Unknown:
    """Return the result of a dialogue, or the driver's fault."""
    from paygate.service import door as doors
    from paygate.service.fitting import Foreign

    driver = "" if door is None else door.driver
    try:
        return hidden.blot(cast("T", value) if door is None else door.admit(value))
    except Foreign as fault:
        doors.log_fault(about, driver, str(fault))
        return _bug(f"the driver is at fault: {fault}", sent=sent)
    except Exception as bug:  # noqa: BLE001  (reading a foreign object may raise anything)
        doors.log_fault(about, driver, place_of(bug))
        return _bug(f"the driver failed with {type(bug).__name__}", sent=sent)


def _close(dialogue: Dialogue[Any], about: logs.About, driver: str) -> None:
    try:
        dialogue.close()
    except Exception as bug:  # noqa: BLE001  (the dialogue is over, and its result is known)
        from paygate.service import door as doors

        doors.log_fault(about, driver, place_of(bug))


_SAYS: Final = {
    Fault.NOT_SENT: "not sent",
    Fault.NO_RESPONSE: "no response",
    Fault.BAD_RESPONSE: "unreadable response",
    Fault.CREDENTIALS: "wrong credentials",
    Fault.OTHER: "fault",
}


def _fault_of(error: PaygateError) -> Fault:
    match error:
        case NotSent():
            return Fault.NOT_SENT
        case NoResponse():
            return Fault.NO_RESPONSE
        case CredentialsRejected():
            return Fault.CREDENTIALS
        case BadResponse():
            return Fault.BAD_RESPONSE
        case _:
            return Fault.OTHER


def _bug(text: str, *, sent: bool) -> Unsent | Unknown:
    """Return a fault of the driver itself, which is flagged for review."""
    return replace(_fault(sent=sent, reason=text, fault=Fault.OTHER), flagged=True)


def _fault(*, sent: bool, reason: str, fault: Fault) -> Unsent | Unknown:
    if sent:
        return Unknown(reason=reason, fault=fault)
    return Unsent(reason=reason, fault=fault)


def _is_stored(attempt: str) -> Callable[[Tx], bool]:
    from paygate.ledger import attempts

    return lambda tx: attempts.by_id(tx, attempt) is not None


def _note(attempt: str, reference: str) -> Callable[[Tx], None]:
    from paygate.ledger import attempts

    return lambda tx: attempts.note(tx, attempt, reference)
