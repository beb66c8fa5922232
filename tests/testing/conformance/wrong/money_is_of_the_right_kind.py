"""It calls a capture a charge."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import Approved, Outcome
from paygate.gateway import Capture
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def capture(self, capture: Capture) -> Dialogue[Outcome]:
        outcome = yield from super().capture(capture)
        if isinstance(outcome, Approved):
            moved = tuple(replace(each, kind=MovementKind.CHARGE) for each in outcome.movements)
            return replace(outcome, movements=moved)
        return outcome
