"""It has no table of codes."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.outcome import DeclineCode, Declined, Outcome
from paygate.gateway import Charge
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        outcome = yield from super().charge(charge)
        if isinstance(outcome, Declined):
            return replace(outcome, code=DeclineCode.GENERIC)
        return outcome
