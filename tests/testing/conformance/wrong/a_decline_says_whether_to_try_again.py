"""It tries lost cards again."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Declined, Outcome
from paygate.gateway import Charge
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def authorize(self, charge: Charge) -> Dialogue[Outcome]:
        outcome = yield from super().authorize(charge)
        if isinstance(outcome, Declined):
            return replace(outcome, retryable=True)
        return outcome
