"""It is found by the processor's name only, and notes none."""

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Outcome
from paygate.gateway import InquiryBy, Voiding
from tests.testing.conformance.right import Paper

SETTINGS = {"inquiry": InquiryBy.GATEWAY_REF}


class Wrong(Paper):
    def void(self, voiding: Voiding) -> Dialogue[Outcome]:
        body = {**self.money(voiding), "about": voiding.reference}
        return (yield from self.ask("void", voiding.key, body, voiding.amount))
