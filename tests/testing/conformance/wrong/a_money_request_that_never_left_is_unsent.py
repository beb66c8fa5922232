"""It is in doubt about what never left."""

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Outcome, Unknown
from paygate.errors import NotSent
from paygate.gateway import Voiding
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def void(self, voiding: Voiding) -> Dialogue[Outcome]:
        try:
            return (yield from super().void(voiding))
        except NotSent as fault:
            return Unknown(reason=str(fault))
