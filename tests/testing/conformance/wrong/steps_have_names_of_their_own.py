"""It calls both of its requests the same."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Outcome
from paygate.gateway import Charge
from tests.testing.conformance.relay import changing
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def authorize(self, charge: Charge) -> Dialogue[Outcome]:
        return changing(super().authorize(charge), lambda each: replace(each, step="authorize"))
