"""It believes the address that the payer came back by."""

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Approved, Outcome
from paygate.gateway import Completion
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def complete(self, completion: Completion) -> Dialogue[Outcome]:
        outcome = yield from super().complete(completion)
        if completion.parameters.get("status") == "paid":
            return Approved(reference=completion.reference)
        return outcome
