"""It calls a refund done that is only accepted."""

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Approved, Outcome, Pending
from paygate.gateway import Refunding
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def refund(self, refunding: Refunding) -> Dialogue[Outcome]:
        outcome = yield from super().refund(refunding)
        if isinstance(outcome, Pending):
            return Approved(reference=outcome.reference)
        return outcome
