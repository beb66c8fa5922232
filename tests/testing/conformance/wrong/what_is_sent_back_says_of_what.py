"""It says that a refund sends itself back."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Approved, Outcome
from paygate.gateway import Refunding
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def refund(self, refunding: Refunding) -> Dialogue[Outcome]:
        outcome = yield from super().refund(refunding)
        if not isinstance(outcome, Approved):
            return outcome
        moved = tuple(replace(each, undoes=each.movement_id) for each in outcome.movements)
        return replace(outcome, movements=moved)
