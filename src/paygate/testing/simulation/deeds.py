"""Deeds: whether a processor moved money, and which operations it must not do twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.domain.movement import MovementKind
from paygate.testing.processor.order import State

if TYPE_CHECKING:
    from paygate.testing.processor.order import Order

ONCE: Final = frozenset({"charge", "authorize", "capture", "refund", "void"})
"""Operations that move or promise money twice if they are executed twice."""

_HAPPENED: Final = frozenset({State.APPROVED, State.AUTHORIZED, State.PENDING})


def happened(order: Order) -> bool:
    """Return whether *order* moved money, or may still move it."""
    return order.state in _HAPPENED or any(
        entry.kind in (MovementKind.CHARGE, MovementKind.CAPTURE) for entry in order.movements
    )
