"""It lets the transport send money twice, at a processor without keys."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Outcome
from paygate.gateway import Refunding
from tests.testing.conformance.relay import changing
from tests.testing.conformance.right import Paper

SETTINGS = {"idempotency": "none"}


class Wrong(Paper):
    def refund(self, refunding: Refunding) -> Dialogue[Outcome]:
        return changing(super().refund(refunding), lambda each: replace(each, repeatable=True))
