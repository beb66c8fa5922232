"""It takes every fault for a doubt."""

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Outcome, Unknown
from paygate.errors import NoResponse, NotSent
from paygate.gateway import Withdrawal
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def withdraw(self, withdrawal: Withdrawal) -> Dialogue[Outcome]:
        try:
            return (yield from super().withdraw(withdrawal))
        except (NotSent, NoResponse) as fault:
            return Unknown(reason=str(fault))
