"""It does not say what is to be closed."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Outcome
from paygate.gateway import ClosingUp
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def close(self, closing: ClosingUp) -> Dialogue[Outcome]:
        return super().close(replace(closing, reference=""))
