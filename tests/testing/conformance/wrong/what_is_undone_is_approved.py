"""It is not sure of what is done."""

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Approved, Outcome, Pending
from paygate.gateway import Voiding
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def void(self, voiding: Voiding) -> Dialogue[Outcome]:
        outcome = yield from super().void(voiding)
        if isinstance(outcome, Approved):
            return Pending(reference=outcome.reference)
        return outcome
