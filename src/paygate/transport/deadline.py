"""The deadline of one exchange, and whether its request may have left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from paygate.dialogue import BODY_BYTES_MAX

if TYPE_CHECKING:
    from paygate.dialogue import Request

TIMEOUT_S: Final = 30.0
"""How long an exchange may take by default."""


class Deadline:
    """The deadline of one exchange, and whether its request may have been sent.

    After `leave`, it can no longer be proved that nothing was sent.
    """

    __slots__ = ("_connect_s", "answer_bytes_max", "at", "sent")

    def __init__(
        self,
        timeout_s: float,
        *,
        connect_timeout_s: float | None = None,
        answer_bytes_max: int = BODY_BYTES_MAX,
    ) -> None:
        self.answer_bytes_max = answer_bytes_max
        self.at = time.monotonic() + timeout_s
        self.sent = False
        self._connect_s = connect_timeout_s

    @classmethod
    def of(
        cls, request: Request, timeout_s: float, connect_timeout_s: float | None = None
    ) -> Deadline:
        """Return the deadline of *request*, with *timeout_s* unless the request has its own."""
        return cls(
            timeout_s if request.timeout_s is None else request.timeout_s,
            connect_timeout_s=connect_timeout_s,
            answer_bytes_max=request.answer_bytes_max,
        )

    def left(self) -> float:
        """Return how many seconds are left, or raise `TimeoutError`."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline of the exchange has passed")
        return left

    def to_connect(self) -> Deadline:
        """Return the deadline for connecting, which is no later than this one."""
        left = self.left()
        return Deadline(left if self._connect_s is None else min(left, self._connect_s))

    def leave(self) -> float:
        """Record that the request may have been sent from now on; return the seconds left."""
        left = self.left()
        self.sent = True
        return left
