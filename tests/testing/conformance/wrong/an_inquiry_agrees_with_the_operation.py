"""It finds a refund as a charge."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.kind import Operation
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import Approved, Finding
from paygate.gateway import Inquiry
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        outcome = yield from super().look_up(inquiry)
        if isinstance(outcome, Approved) and inquiry.operation is Operation.REFUND:
            [*moved] = outcome.movements
            if len(moved) == 1:
                return replace(outcome, movements=(replace(moved[0], kind=MovementKind.CHARGE),))
        return outcome
