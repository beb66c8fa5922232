"""It does not find that a dispute was won."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import Approved, Finding
from paygate.gateway import Inquiry
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        outcome = yield from super().look_up(inquiry)
        if not isinstance(outcome, Approved):
            return outcome
        moved = [each for each in outcome.movements if each.kind is not MovementKind.CHARGEBACK_WON]
        return replace(outcome, movements=tuple(moved))
