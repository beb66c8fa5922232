"""Which outcome means what for each operation: one table for drivers, tests and the reference.

A processor shows the payment: paid, held, canceled. A driver answers about one of our
operations, and the same payment means something different for each: if it is canceled, a charge
has ended, but a void was done. The rows are what a processor shows, whatever it
calls it; the columns are the operation that is answered or looked up.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from paygate.domain.kind import Operation
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    Declined,
    Ended,
    NotFound,
    Pending,
    Rejected,
    Unknown,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class Shown(StrEnum):
    """What a processor shows about an operation, when it executes it or is asked about it."""

    DONE = "done"
    """It did what we requested, or that was already done, by whomever."""
    HELD = "held"
    """The amount is held for us, and nothing moved."""
    ON_ITS_WAY = "on its way"
    """It accepted the request; the outcome is known later."""
    WAITS = "waits"
    """The payer has not acted yet: the page, slip or code is open."""
    DECLINED = "declined"
    """The bank or the processor's risk rules said no."""
    REFUSED = "refused"
    """The processor did nothing with the request: a field, the key, or the state is wrong."""
    CANCELED = "canceled"
    """The payment was canceled before its money moved."""
    EXPIRED = "expired"
    """It expired before its money moved."""
    ABSENT = "absent"
    """An inquiry asked about it, and the processor does not know it."""
    UNCLEAR = "unclear"
    """A fault of the processor, an unreadable response, or a state that is new to us."""


def _row(**but: type) -> Mapping[Shown, type]:
    """Return the outcomes of an operation: the usual ones, except those that are given."""
    usual: dict[Shown, type] = {
        Shown.DONE: Approved,
        Shown.ON_ITS_WAY: Pending,
        Shown.DECLINED: Declined,
        Shown.REFUSED: Rejected,
        Shown.CANCELED: Ended,
        Shown.EXPIRED: Ended,
        Shown.ABSENT: NotFound,
        Shown.UNCLEAR: Unknown,
    }
    return usual | {Shown[name.upper()]: outcome for name, outcome in but.items()}


OUTCOMES: Final[Mapping[Operation, Mapping[Shown, type]]] = {
    Operation.CHARGE: _row(held=Authorized, waits=ActionRequired),
    Operation.AUTHORIZE: _row(held=Authorized, waits=ActionRequired),
    Operation.COMPLETE: _row(held=Authorized, waits=ActionRequired),
    # It still only holds the amount: nothing was captured, or released.
    Operation.CAPTURE: _row(held=NotFound),
    Operation.VOID: _row(held=NotFound, canceled=Approved, expired=Approved),
    Operation.REFUND: _row(waits=ActionRequired),
    Operation.WITHDRAW: _row(waits=ActionRequired, canceled=Approved, expired=Approved),
    Operation.ENROLL: _row(waits=ActionRequired),
    # If the method is not there, it is as good as deleted.
    Operation.FORGET: _row(absent=Approved),
}
"""The outcome that a driver returns, by operation and by what the processor shows."""
