"""It blames every refusal on the request."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Outcome, RejectCause, Rejected
from paygate.gateway import Capture
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def capture(self, capture: Capture) -> Dialogue[Outcome]:
        outcome = yield from super().capture(capture)
        if isinstance(outcome, Rejected):
            return replace(outcome, cause=RejectCause.VALIDATION)
        return outcome
