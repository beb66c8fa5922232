"""Flows: use cases as generators that hold nothing open while they wait.

A flow yields a `Step` and is sent its result; the runner (sync, async, simulator) decides how a
step is executed. A flow speaks to a driver only through `asking.ask`.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, cast

from paygate import logs
from paygate.errors import CommitUnknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from paygate.dialogue import Request
    from paygate.domain.event import Event
    from paygate.ledger.elapsed import Lease
    from paygate.ledger.tx import Tx

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


@dataclass(frozen=True, slots=True)
class InThread:
    """
    Run *call*, which blocks, in a thread of its own, for at most *deadline_s*.

    Raises `NoResponse` after that, and while an earlier call under the same *name* still runs.
    """

    name: str
    call: Callable[[], object]
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Together:
    """
    Run *flows* at the same time, at most *at_once* of them, and return their results in order.

    A runner that does one thing at a time returns None instead, and runs none of them.
    """

    flows: tuple[Callable[[], Flow[Any]], ...]
    at_once: int


Step: TypeAlias = Write | Read | Exchange | Deliver | InThread | Together

Flow: TypeAlias = Generator[Step, Any, T]
"""A use case that ends in a T."""


def transact(work: Callable[[Tx], T]) -> Flow[T]:
    """Run *work* in one durable transaction, with what follows for items that it changed."""
    return cast("T", (yield Write(partial(_whole, work))))


def _whole(work: Callable[[Tx], T], tx: Tx) -> T:
    result = work(tx)
    if tx.freed:
        from paygate.service import freed

        freed.take_up(tx)
    if tx.automatic:
        from paygate.service import autopay_outcome

        autopay_outcome.follow(tx)
    if tx.late or tx.lots:
        from paygate.service import dunning

        dunning.follow(tx)
    if tx.linked or tx.links:
        from paygate.service import linked

        linked.follow(tx)
    return result


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


def together(flows: Iterable[Callable[[], Flow[T]]], at_once: int) -> Flow[list[T]]:
    """Run *flows*, at the same time if the runner can, and return their results in order."""
    wanted = tuple(flows)
    if at_once > 1 and len(wanted) > 1:
        results: list[T] | None = yield Together(wanted, at_once)
        if results is not None:
            return results
    results = []
    for each in wanted:
        results.append((yield from each()))
    return results


def look(work: Callable[[Tx], T]) -> Flow[T]:
    """Run *work*, which changes nothing."""
    return cast("T", (yield Read(work)))


def _is_stored(attempt: str) -> Callable[[Tx], bool]:
    from paygate.ledger import attempts

    return lambda tx: attempts.by_id(tx, attempt) is not None
