"""It loses the processor's own code."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Declined, Outcome
from paygate.gateway import Charge
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        outcome = yield from super().charge(charge)
        if isinstance(outcome, Declined):
            return replace(outcome, raw_code="declined")
        return outcome
