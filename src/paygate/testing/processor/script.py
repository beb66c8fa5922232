"""Scripts: how the next operations go, in order, before any magic value is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.kind import Operation
from paygate.errors import InvalidValue
from paygate.testing.processor.magic import Plan, plan_named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_OPERATIONS: Final = frozenset(Operation)
READS: Final = frozenset({"look_up", "list", "events", "account"})
"""What is only asked; the network may fail, and nothing else is decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One planned turn and the operations that it waits for; empty fields match any."""

    plan: Plan
    operation: str = ""
    our_ref: str = ""
    invoice: str = ""
    matching: Callable[[Mapping[str, Any]], bool] | None = None

    def fits(self, operation: str, body: Mapping[str, Any]) -> bool:
        """Tell whether this turn is meant for that request."""
        if self.operation:
            if operation != self.operation:
                return False
        elif operation not in _OPERATIONS:
            return False  # inquiries and the like are planned only by name
        return (
            (not self.our_ref or body.get("our_ref") == self.our_ref)
            and (not self.invoice or self.invoice in body.get("invoices", ()))
            and (self.matching is None or self.matching(body))
        )


class Script:
    """The turns that were planned and have not come yet."""

    def __init__(self) -> None:
        self._turns: list[Turn] = []

    def plan(
        self,
        *plans: Plan | str,
        operation: str = "",
        our_ref: str = "",
        invoice: str = "",
        matching: Callable[[Mapping[str, Any]], bool] | None = None,
    ) -> None:
        """
        Add turns, each a `Plan` or the name of a magic value.

        Raises `InvalidValue` for a plan that decides something, for an operation that only reads.
        """
        named = [plan_named(plan) if isinstance(plan, str) else plan for plan in plans]
        for plan in named:
            if operation in READS and plan != Plan(wire=plan.wire):
                raise InvalidValue(
                    f"{operation} only reads, so a plan that decides ({plan.verdict}) would change "
                    "nothing; plan a fault of the network, such as unknown_lost, garbage or 500",
                    argument="plans",
                )
        self._turns += [
            Turn(
                plan=plan,
                operation=operation,
                our_ref=our_ref,
                invoice=invoice,
                matching=matching,
            )
            for plan in named
        ]

    def take(self, operation: str, body: Mapping[str, Any]) -> Plan | None:
        """Take out the first turn that fits, if any does."""
        if not self._turns:
            return None
        for turn in self._turns:
            if turn.fits(operation, body):
                self._turns.remove(turn)
                return turn.plan
        return None

    @property
    def left(self) -> int:
        """How many turns have not come yet; a test may want none to be left."""
        return len(self._turns)
