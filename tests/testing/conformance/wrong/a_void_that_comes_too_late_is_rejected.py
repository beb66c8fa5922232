"""It does not know why a void was refused."""

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Outcome, RejectCause, Rejected, Unknown
from paygate.gateway import Voiding
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def void(self, voiding: Voiding) -> Dialogue[Outcome]:
        outcome = yield from super().void(voiding)
        if isinstance(outcome, Rejected) and outcome.cause is RejectCause.STATE:
            return Unknown(reason="Paper would not")
        return outcome
