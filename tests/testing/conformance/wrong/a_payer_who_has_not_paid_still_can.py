"""It gives up a payer who came back too early."""

from paygate.dialogue import Dialogue
from paygate.domain.outcome import ActionRequired, Ended, Ending, Outcome
from paygate.gateway import Completion
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def complete(self, completion: Completion) -> Dialogue[Outcome]:
        outcome = yield from super().complete(completion)
        if isinstance(outcome, ActionRequired):
            return Ended(how=Ending.CANCELED, reference=outcome.reference)
        return outcome
