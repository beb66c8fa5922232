"""It names another merchant."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.gateway import AccountFacts
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def check(self) -> Dialogue[AccountFacts]:
        facts = yield from super().check()
        return replace(facts, merchant_account="somebody")
