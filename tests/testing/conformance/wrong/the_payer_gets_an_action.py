"""It sends the payer nowhere."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.action import Redirect
from paygate.domain.outcome import ActionRequired, Outcome
from paygate.gateway import Charge
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        outcome = yield from super().charge(charge)
        if isinstance(outcome, ActionRequired):
            return replace(outcome, action=Redirect(url=""))
        return outcome
