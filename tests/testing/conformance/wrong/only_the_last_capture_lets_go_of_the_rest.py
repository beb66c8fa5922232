"""It makes every capture the last."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Outcome
from paygate.gateway import Capture
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def capture(self, capture: Capture) -> Dialogue[Outcome]:
        return super().capture(replace(capture, final=True))
