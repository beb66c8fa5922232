"""It calls a hold a payment."""

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Approved, Authorized, Outcome
from paygate.gateway import Charge
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def authorize(self, charge: Charge) -> Dialogue[Outcome]:
        outcome = yield from super().authorize(charge)
        if isinstance(outcome, Authorized):
            return Approved(reference=outcome.reference)
        return outcome
