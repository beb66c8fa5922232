"""It blames bad credentials on the payer."""

from paygate.dialogue import Dialogue
from paygate.domain.outcome import DeclineCode, Declined, Outcome, Rejected
from paygate.gateway import Capture
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def capture(self, capture: Capture) -> Dialogue[Outcome]:
        outcome = yield from super().capture(capture)
        if isinstance(outcome, Rejected):
            return Declined(code=DeclineCode.GENERIC, raw_code=outcome.raw_code, retryable=False)
        return outcome
