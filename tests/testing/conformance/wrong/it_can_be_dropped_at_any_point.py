"""It wants to tidy up after it was closed."""

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Outcome
from paygate.gateway import Refunding
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def refund(self, refunding: Refunding) -> Dialogue[Outcome]:
        try:
            return (yield from super().refund(refunding))
        except GeneratorExit:
            yield self.get("cancel", about=refunding.reference)
            raise
