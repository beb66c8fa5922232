"""It looks for the payment, and its traits say for the attempt."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Finding
from paygate.gateway import Inquiry
from tests.testing.conformance.relay import changing
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        return changing(
            super().look_up(inquiry),
            lambda each: replace(each, url=each.url.replace(inquiry.our_ref, inquiry.payment)),
        )
