"""It calls a page that waits for the payer a payment on its way."""

from paygate.dialogue import Dialogue
from paygate.domain.outcome import ActionRequired, Outcome, Pending
from paygate.gateway import Charge
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        outcome = yield from super().charge(charge)
        if isinstance(outcome, ActionRequired):
            return Pending(reference=outcome.reference)
        return outcome
