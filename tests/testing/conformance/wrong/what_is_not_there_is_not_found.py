"""It does not know what 'not found' is."""

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Finding, NotFound, Unknown
from paygate.gateway import Inquiry
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        outcome = yield from super().look_up(inquiry)
        if isinstance(outcome, NotFound):
            return Unknown(reason="Paper does not know it")
        return outcome
