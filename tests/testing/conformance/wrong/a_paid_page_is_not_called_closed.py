"""It calls a page closed that was paid."""

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Approved, Outcome, RejectCause, Rejected
from paygate.gateway import Withdrawal
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def withdraw(self, withdrawal: Withdrawal) -> Dialogue[Outcome]:
        outcome = yield from super().withdraw(withdrawal)
        if isinstance(outcome, Rejected) and outcome.cause is RejectCause.STATE:
            return Approved()
        return outcome
