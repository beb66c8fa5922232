"""Mischief: drivers that return values outside the protocol, or raise.

A driver is foreign code. If it returns nonsense, the money of that operation is in doubt
until something else reports the outcome, and no other payment is held up.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from typing_extensions import override

from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    Declined,
    NotFound,
    Pending,
)
from paygate.gateway import Notice
from paygate.testing.fake import FakeGateway
from paygate.testing.simulation.faults import PlannedFault

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.dialogue import Dialogue
    from paygate.gateway import (
        Callback,
        Capture,
        Charge,
        Completion,
        Enrollment,
        Forgetting,
        Inquiry,
        Refunding,
        Voiding,
        Withdrawal,
    )
    from paygate.testing.simulation.dice import Dice

T = TypeVar("T")


class DriverBug(RuntimeError):
    """An exception from a driver's own code."""


class Bungler(FakeGateway):
    """A driver that sometimes returns nonsense, or raises."""

    trouble: Callable[[], tuple[PlannedFault, Dice] | None] = staticmethod(lambda: None)

    def _bungled(self, dialogue: Dialogue[T], wrong: Callable[[Any, Dice], Any]) -> Dialogue[T]:
        """Run *dialogue*, and raise or change its result if a fault is drawn."""
        found = self.trouble()
        if found is None:
            return (yield from dialogue)
        fault, rolls = found
        if fault is PlannedFault.DRIVER_RAISES and rolls.random() < 0.5:
            dialogue.close()
            raise DriverBug
        answer = yield from dialogue
        if fault is PlannedFault.DRIVER_RAISES:
            raise DriverBug
        returned: T = wrong(answer, rolls)
        return returned

    @override
    def charge(self, charge: Charge) -> Dialogue[Any]:
        """Collect the amount, or fail at it."""
        return self._bungled(super().charge(charge), nonsense)

    @override
    def authorize(self, charge: Charge) -> Dialogue[Any]:
        """Hold the amount, or fail at it."""
        return self._bungled(super().authorize(charge), nonsense)

    @override
    def complete(self, completion: Completion) -> Dialogue[Any]:
        """Finish a charge, or fail at it."""
        return self._bungled(super().complete(completion), nonsense)

    @override
    def capture(self, capture: Capture) -> Dialogue[Any]:
        """Capture money that is held, or fail at it."""
        return self._bungled(super().capture(capture), nonsense)

    @override
    def void(self, voiding: Voiding) -> Dialogue[Any]:
        """Void a charge, or fail at it."""
        return self._bungled(super().void(voiding), nonsense)

    @override
    def refund(self, refunding: Refunding) -> Dialogue[Any]:
        """Send money back, or fail at it."""
        return self._bungled(super().refund(refunding), nonsense)

    @override
    def withdraw(self, withdrawal: Withdrawal) -> Dialogue[Any]:
        """Withdraw a page, or fail at it."""
        return self._bungled(super().withdraw(withdrawal), nonsense)

    @override
    def enroll(self, enrollment: Enrollment) -> Dialogue[Any]:
        """Store a method, or fail at it."""
        return self._bungled(super().enroll(enrollment), nonsense)

    @override
    def forget(self, forgetting: Forgetting) -> Dialogue[Any]:
        """Delete a method, or fail at it."""
        return self._bungled(super().forget(forgetting), nonsense)

    @override
    def look_up(self, inquiry: Inquiry) -> Dialogue[Any]:
        """Find an operation, or fail at it."""
        return self._bungled(super().look_up(inquiry), _found_nonsense)

    @override
    def feed(self, cursor: str) -> Dialogue[Any]:
        """Read events, or fail at it."""
        return self._bungled(super().feed(cursor), _page_of_nonsense)

    @override
    def verify(self, callback: Callback) -> Dialogue[Any]:
        """Authenticate a callback, or fail at it."""
        return self._bungled(super().verify(callback), _told_nonsense)


class Hinter(Bungler):
    """A driver whose callbacks are unsigned and only name the order that has changed."""

    @override
    def verify(self, callback: Callback) -> Dialogue[Any]:
        """Return the reference of the order, and nothing else."""
        return self._bungled(self._hinted(callback), _told_nonsense)

    def _hinted(self, callback: Callback) -> Dialogue[list[Notice]]:
        read = yield from FakeGateway.verify(self, callback)
        return [
            Notice(
                event_id=f"hint-{notice.reference or notice.event_id}",
                type="hint",
                reference=notice.reference,
                our_ref=notice.our_ref,
            )
            for notice in read
        ]


def nonsense(answer: Any, rolls: Dice) -> Any:
    """Return something based on *answer* that is not an outcome of this operation."""
    if isinstance(answer, Approved) and answer.movements and rolls.random() < 0.5:
        return _wrong_movements(answer, rolls)
    return rolls.choice(_NO_OUTCOMES)


def _found_nonsense(answer: Any, rolls: Dice) -> Any:
    if isinstance(answer, Approved) and answer.movements and rolls.random() < 0.5:
        return _wrong_movements(answer, rolls)
    return rolls.choice([each for each in _NO_OUTCOMES if not isinstance(each, NotFound)])


def _wrong_movements(answer: Approved, rolls: Dice) -> Approved:
    """Return *answer* with an invalid movement: a zero, negative or untyped amount, and so on."""
    first, *rest = answer.movements
    wrong: Any = rolls.choice(
        (
            replace(first, amount=replace(first.amount, minor=0)),
            replace(first, amount=replace(first.amount, minor=-first.amount.minor)),
            replace(first, amount=_any("12.00")),
            replace(first, amount=_any(None)),
            replace(first, movement_id=_any(None)),
            replace(first, movement_id=""),
            replace(first, kind=_any("gift")),
            None,
        )
    )
    return replace(answer, movements=(wrong, *rest))


def _page_of_nonsense(page: Any, rolls: Dice) -> Any:
    return rolls.choice(
        (
            None,
            "the end",
            replace(page, notices=_any(None)),
            replace(page, cursor=_any(7)),
            replace(page, notices=(*page.notices, _any(None))),  # the valid ones must be kept
        )
    )


def _told_nonsense(notices: Any, rolls: Dice) -> Any:
    # A list would mean that the callback is authentic, and what it reported would be lost.
    del notices
    return rolls.choice((None, "paid", {"id": 1}, True))


def _any(value: object) -> Any:
    return value


_NO_OUTCOMES: Final[tuple[Any, ...]] = (
    None,
    "paid",
    True,
    {"state": "approved"},
    NotFound(),
    Approved(reference="", movements=_any(None)),
    Approved(reference=_any(None), movements=_any("all")),
    Declined(code=_any("no"), raw_code=_any(None), retryable=_any("maybe")),
    Pending(reference=_any(5)),
    ActionRequired(action=_any(None), reference=""),
    Authorized(amount=_any(None)),
)
