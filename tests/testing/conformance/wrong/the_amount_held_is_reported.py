"""It believes that a hold is of twice the amount."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Authorized, Outcome
from paygate.gateway import Charge
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def authorize(self, charge: Charge) -> Dialogue[Outcome]:
        outcome = yield from super().authorize(charge)
        if isinstance(outcome, Authorized):
            return replace(outcome, amount=outcome.amount * 2)
        return outcome
