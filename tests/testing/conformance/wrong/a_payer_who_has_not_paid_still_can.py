"""It gives up a payer who came back too early."""

from paygate.dialogue import Dialogue
from paygate.domain.outcome import ActionRequired, Closed, Closing, Outcome
from paygate.gateway import Completion
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def complete(self, completion: Completion) -> Dialogue[Outcome]:
        outcome = yield from super().complete(completion)
        if isinstance(outcome, ActionRequired):
            return Closed(how=Closing.CANCELED, reference=outcome.reference)
        return outcome
