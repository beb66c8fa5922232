"""It takes the processor's trouble for 'no such charge'."""

from paygate.dialogue import Response
from paygate.domain.outcome import Finding, NotFound
from paygate.gateway import Inquiry
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def finding(self, response: Response, inquiry: Inquiry) -> Finding:
        if response.status == 503:
            return NotFound()
        return super().finding(response, inquiry)
