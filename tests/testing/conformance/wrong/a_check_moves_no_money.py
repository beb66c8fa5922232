"""It believes that checking moves money."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.gateway import AccountFacts
from tests.testing.conformance.relay import changing
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def check(self) -> Dialogue[AccountFacts]:
        return changing(super().check(), lambda each: replace(each, moves_money=True))
