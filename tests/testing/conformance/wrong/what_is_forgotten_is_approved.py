"""It waits for what is done."""

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Approved, Outcome, Pending
from paygate.gateway import Forgetting
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def forget(self, forgetting: Forgetting) -> Dialogue[Outcome]:
        outcome = yield from super().forget(forgetting)
        if isinstance(outcome, Approved):
            return Pending()
        return outcome
