"""It keeps our reference for itself."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Outcome
from paygate.gateway import Refunding
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def refund(self, refunding: Refunding) -> Dialogue[Outcome]:
        return super().refund(replace(refunding, our_ref=""))
