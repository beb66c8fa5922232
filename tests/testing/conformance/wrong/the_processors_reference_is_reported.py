"""It forgets how the processor calls it."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Approved, Outcome
from paygate.gateway import Capture
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def capture(self, capture: Capture) -> Dialogue[Outcome]:
        outcome = yield from super().capture(capture)
        if isinstance(outcome, Approved):
            return replace(outcome, reference="")
        return outcome
