"""It calls a bank's no a request that was refused."""

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Declined, Outcome, RejectCause, Rejected
from paygate.gateway import Charge
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        outcome = yield from super().charge(charge)
        if isinstance(outcome, Declined):
            return Rejected(cause=RejectCause.VALIDATION, retryable=False)
        return outcome
