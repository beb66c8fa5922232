"""It calls a page closed that was paid."""

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Approved, Outcome, RejectCause, Rejected
from paygate.gateway import ClosingUp
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def close(self, closing: ClosingUp) -> Dialogue[Outcome]:
        outcome = yield from super().close(closing)
        if isinstance(outcome, Rejected) and outcome.cause is RejectCause.STATE:
            return Approved()
        return outcome
