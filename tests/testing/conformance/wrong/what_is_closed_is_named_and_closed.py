"""It does not say what is to be closed."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Outcome
from paygate.gateway import Withdrawal
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def withdraw(self, withdrawal: Withdrawal) -> Dialogue[Outcome]:
        return super().withdraw(replace(withdrawal, reference=""))
