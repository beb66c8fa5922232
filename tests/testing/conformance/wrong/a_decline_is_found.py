"""It finds no end in a decline."""

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Declined, Finding, Unknown
from paygate.gateway import Inquiry
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        outcome = yield from super().look_up(inquiry)
        if isinstance(outcome, Declined):
            return Unknown(reason="Paper shows no money")
        return outcome
