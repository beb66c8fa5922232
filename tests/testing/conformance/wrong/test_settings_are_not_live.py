"""It calls every account live."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.gateway import AccountFacts, Traits
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    @property
    def traits(self) -> Traits:
        return replace(super().traits, live=True)

    def check(self) -> Dialogue[AccountFacts]:
        facts = yield from super().check()
        return replace(facts, live=True)
