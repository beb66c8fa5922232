"""It is content with any answer."""

from paygate.dialogue import Dialogue
from paygate.errors import BadResponse
from paygate.gateway import AccountFacts
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def check(self) -> Dialogue[AccountFacts]:
        try:
            return (yield from super().check())
        except BadResponse:
            return AccountFacts(merchant_account=self._settings.merchant, live=False)
