"""Scripts: the planned outcomes of the next operations, which override magic values."""

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
"""Requests that only read: a plan for them can only be a network fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One planned outcome, and the operations that it applies to; empty fields match any."""

    plan: Plan
    operation: str = ""
    our_ref: str = ""
    invoice: str = ""
    matching: Callable[[Mapping[str, Any]], bool] | None = None

    def fits(self, operation: str, body: Mapping[str, Any]) -> bool:
        """Return whether this plan applies to the request."""
        if self.operation:
            if operation != self.operation:
                return False
        elif operation not in _OPERATIONS:
            return False  # requests that only read are planned only by name
        return (
            (not self.our_ref or body.get("our_ref") == self.our_ref)
            and (not self.invoice or self.invoice in body.get("invoices", ()))
            and (self.matching is None or self.matching(body))
        )


class Script:
    """The plans that have not been used yet."""

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
        Add plans, each a `Plan` or the name of a magic value.

        Raises `InvalidValue` if a plan for a request that only reads is not a network fault.
        """
        named = [plan_named(plan) if isinstance(plan, str) else plan for plan in plans]
        for plan in named:
            if operation in READS and plan != Plan(wire=plan.wire):
                raise InvalidValue(
                    f"{operation} only reads, so the plan {plan.verdict} would have no effect; "
                    "plan a network fault instead, such as unknown_lost, garbage or 500",
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
        """Remove and return the first plan that applies, if there is one."""
        if not self._turns:
            return None
        for turn in self._turns:
            if turn.fits(operation, body):
                self._turns.remove(turn)
                return turn.plan
        return None

    @property
    def left(self) -> int:
        """The number of plans that have not been used; a test may require it to be zero."""
        return len(self._turns)
