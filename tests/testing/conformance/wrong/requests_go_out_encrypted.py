"""It saves the certificate."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Outcome
from paygate.gateway import Refunding
from tests.testing.conformance.relay import changing
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def refund(self, refunding: Refunding) -> Dialogue[Outcome]:
        return changing(
            super().refund(refunding),
            lambda each: replace(each, url=each.url.replace("https", "http")),
        )
