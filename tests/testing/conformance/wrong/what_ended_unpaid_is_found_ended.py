"""It finds what ran out as taken back."""

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Ended, Ending, Finding
from paygate.gateway import Inquiry
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        outcome = yield from super().look_up(inquiry)
        return Ended(how=Ending.CANCELED) if isinstance(outcome, Ended) else outcome
