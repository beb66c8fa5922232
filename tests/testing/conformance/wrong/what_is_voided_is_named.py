"""It does not say what is to be voided."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Outcome
from paygate.gateway import Voiding
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def void(self, voiding: Voiding) -> Dialogue[Outcome]:
        return super().void(replace(voiding, reference=""))
