"""It charges again where the processor says 'duplicate'."""

from collections.abc import Mapping

from paygate.dialogue import Dialogue
from paygate.domain.money import Money
from paygate.domain.outcome import Outcome
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def ask(
        self,
        step: str,
        key: str,
        body: Mapping[str, object],
        amount: Money | None = None,
        *,
        moves: bool = True,
    ) -> Dialogue[Outcome]:
        response = yield self.request(step, key, body, moves=moves)
        if response.status == 409:
            response = yield self.request(f"{step}-again", key, body, moves=moves)
        return self.outcome(response, amount, moved=moves)
