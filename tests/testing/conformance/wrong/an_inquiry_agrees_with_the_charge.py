"""It finds the money under another id."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Approved, Finding
from paygate.gateway import Inquiry
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        outcome = yield from super().look_up(inquiry)
        if isinstance(outcome, Approved):
            moved = tuple(
                replace(each, movement_id=f"found-{each.movement_id}") for each in outcome.movements
            )
            return replace(outcome, movements=moved)
        return outcome
