"""It believes that closing a page moves money."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Outcome
from paygate.gateway import ClosingUp
from tests.testing.conformance.relay import changing
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def close(self, closing: ClosingUp) -> Dialogue[Outcome]:
        return changing(super().close(closing), lambda each: replace(each, moves_money=True))
