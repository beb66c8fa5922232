"""Asking: a dialogue with a driver, and what its faults mean for the money.

A flow speaks to a driver only through `ask`, which translates every fault into what is known about
the money: before the request that moves money has left, a fault is `Unsent`; after that it is
`Unknown`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from paygate import logs, telemetry
from paygate.dialogue import NOTED, Note
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    Declined,
    Ended,
    Fault,
    Pending,
    Rejected,
    Unknown,
    Unsent,
)
from paygate.driving import contained, raised
from paygate.errors import (
    BadResponse,
    CredentialsRejected,
    GatewayError,
    NoResponse,
    NotAuthentic,
    NotSent,
    PaygateError,
    UsageError,
)
from paygate.ledger import attempts, holding
from paygate.printing import place_of
from paygate.request_id import request_id_of
from paygate.service import door as doors
from paygate.service.fitting import Foreign
from paygate.service.flow import Exchange, transact
from paygate.service.hiding import NOTHING
from paygate.service.secrets import credentials_of
from paygate.telemetry import Attribute, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from paygate.dialogue import Dialogue, Request, Response
    from paygate.ledger.elapsed import Lease
    from paygate.ledger.tx import Tx
    from paygate.service.door import Door
    from paygate.service.flow import Flow
    from paygate.service.hiding import Hidden

T = TypeVar("T")


@dataclass(slots=True)
class Heard:
    """The processor's id of the request that moved money, or else of the last one.

    `status` is that of the last response.
    """

    request_id: str = ""
    status: int | None = None
    _moved: bool = False

    def hear(self, request: Request, response: Response, hidden: Hidden) -> None:
        """Store the status, and the processor's id of *request* if the response has one."""
        self.status = response.status
        if self._moved:
            return
        self._moved = request.moves_money
        self.request_id = hidden.said(request_id_of(request, response))


def ask(
    account: str,
    dialogue: Dialogue[T],
    *,
    what: str,
    door: Door[T] | None = None,
    hidden: Hidden | None = None,
    about: logs.About = logs.NOTHING,
    heard: Heard | None = None,
    lease: Lease | None = None,
    all_matter: bool = False,
) -> Flow[T | Unsent | Unknown]:
    """
    Run *dialogue* with a gateway account and return its result.

    *what* names it in spans and metrics: an operation, or a verb such as ``look_up``.

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
    facts = {Attribute.ACCOUNT: account, Attribute.OPERATION: what}
    with telemetry.record(Shape.CALL, facts) as ending:
        result = yield from _converse(
            account,
            dialogue,
            door=door,
            hidden=hidden,
            about=about,
            heard=heard,
            lease=lease,
            all_matter=all_matter,
        )
        ending.outcome, ending.error = _outcome_of(result), _error_of(result)
    return result


def converse(
    account: str, dialogue: Dialogue[T], *, hidden: Hidden, heard: Heard | None = None
) -> Flow[T | Unsent | Unknown]:
    """Run *dialogue* with a sink; see `ask`."""
    return _converse(
        account,
        dialogue,
        door=None,
        hidden=hidden,
        about=logs.NOTHING,
        heard=heard,
        lease=None,
        all_matter=False,
    )


def _outcome_of(result: object) -> str:
    """Return what came of a dialogue, in a word."""
    return _OUTCOMES.get(type(result), "answered")


_OUTCOMES: Final[Mapping[type, str]] = {
    Approved: "approved",
    Authorized: "authorized",
    Declined: "declined",
    Rejected: "rejected",
    Pending: "pending",
    ActionRequired: "action_required",
    Ended: "ended",
    Unknown: "unknown",
    Unsent: "unsent",
    NotAuthentic: "refused",
}


def _error_of(result: object) -> str:
    if isinstance(result, Unsent | Unknown) and result.fault is not None:
        return result.fault.value
    return ""


def _converse(
    account: str,
    dialogue: Dialogue[T],
    *,
    door: Door[T] | None,
    hidden: Hidden | None,
    about: logs.About,
    heard: Heard | None,
    lease: Lease | None,
    all_matter: bool,
) -> Flow[T | Unsent | Unknown]:
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
    dialogue = contained(dialogue)
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
        doors.log_fault(about, driver, place_of(raised(bug)))
        return _bug(f"the driver failed with {type(raised(bug)).__name__}", sent=sent)
    finally:
        _close(dialogue, about, driver)


def _admitted(
    about: logs.About, value: Any, door: Door[T] | None, hidden: Hidden, *, sent: bool
) -> T | Unsent | Unknown:
    """Return the result of a dialogue, or the driver's fault."""
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
        doors.log_fault(about, driver, place_of(raised(bug)))


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


def _note(attempt: str, reference: str) -> Callable[[Tx], None]:
    def work(tx: Tx) -> None:
        holding.hold_attempt(tx, attempt)
        attempts.note(tx, attempt, reference)

    return work
