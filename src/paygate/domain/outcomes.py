"""Which outcome says what about which operation: one table, for drivers, tests and the reference.

A processor shows the payment: paid, held, canceled. A driver answers about one operation
of ours, and the same payment means something else for each: that it is canceled is how a
charge ended, and that a void was done. The rows are what a processor shows, whatever it
calls it; the columns the operation that is answered, or looked up.
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
    """What a processor shows when it is asked for an operation, or about one."""

    DONE = "done"
    """It did what was asked, or what we asked for is so already, by whomever."""
    HELD = "held"
    """The amount is held for us, and nothing moved."""
    ON_ITS_WAY = "on its way"
    """It took the request; how it ends is known later."""
    WAITS = "waits"
    """The payer has not acted yet: the page, slip or code is open."""
    DECLINED = "declined"
    """The bank, or the processor's rules about risk, said no."""
    REFUSED = "refused"
    """The processor did nothing with the request: a field, the key, or the state is wrong."""
    CANCELED = "canceled"
    """The payment was called off before its money moved."""
    EXPIRED = "expired"
    """It ran out before its money moved."""
    ABSENT = "absent"
    """It is asked about, and the processor does not know it."""
    UNCLEAR = "unclear"
    """A fault of the processor, an answer that cannot be read, a state that is new to us."""


def _row(**but: type) -> Mapping[Shown, type]:
    """Return the outcomes of an operation: the usual ones, but for those that are given."""
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
    # It still only holds the amount: nothing was captured, or let go of.
    Operation.CAPTURE: _row(held=NotFound),
    Operation.VOID: _row(held=NotFound, canceled=Approved, expired=Approved),
    Operation.REFUND: _row(waits=ActionRequired),
    Operation.WITHDRAW: _row(waits=ActionRequired, canceled=Approved, expired=Approved),
    Operation.ENROLL: _row(waits=ActionRequired),
    # What is not there is as good as deleted.
    Operation.FORGET: _row(absent=Approved),
}
"""The outcome that a driver returns, by operation and by what the processor shows."""
