"""It does not wait for the end."""

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Finding, NotFound, Pending
from paygate.gateway import Inquiry
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        outcome = yield from super().look_up(inquiry)
        if isinstance(outcome, Pending):
            return NotFound()
        return outcome
