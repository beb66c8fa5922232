"""It fails to forget what is gone."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Outcome, RejectCause, Rejected
from paygate.gateway import Forgetting
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def forget(self, forgetting: Forgetting) -> Dialogue[Outcome]:
        outcome = yield from super().forget(forgetting)
        if isinstance(outcome, Rejected) and outcome.cause is RejectCause.METHOD_GONE:
            return replace(outcome, cause=RejectCause.VALIDATION)
        return outcome
