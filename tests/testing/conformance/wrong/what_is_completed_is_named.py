"""It completes the payment of its first test."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Outcome
from paygate.gateway import Completion
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def complete(self, completion: Completion) -> Dialogue[Outcome]:
        return super().complete(replace(completion, reference="or_81"))
