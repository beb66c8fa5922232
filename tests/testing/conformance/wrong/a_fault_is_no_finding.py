"""It takes silence for 'no such charge'."""

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Finding, NotFound
from paygate.errors import NoResponse
from paygate.gateway import Inquiry
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        try:
            return (yield from super().look_up(inquiry))
        except NoResponse:
            return NotFound()
