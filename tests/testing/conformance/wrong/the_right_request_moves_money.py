"""It marks the preparation instead of the charge."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Outcome
from paygate.gateway import Charge
from tests.testing.conformance.relay import changing
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        return changing(
            super().charge(charge), lambda each: replace(each, moves_money=each.step == "open")
        )
