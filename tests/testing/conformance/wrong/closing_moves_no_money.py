"""It believes that closing a page moves money."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Outcome
from paygate.gateway import Withdrawal
from tests.testing.conformance.relay import changing
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def withdraw(self, withdrawal: Withdrawal) -> Dialogue[Outcome]:
        return changing(super().withdraw(withdrawal), lambda each: replace(each, moves_money=True))
