"""It takes an error page for 'no such charge'."""

from paygate.dialogue import Response
from paygate.domain.outcome import Finding, NotFound
from paygate.gateway import Inquiry
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def finding(self, response: Response, inquiry: Inquiry) -> Finding:
        if response.status == 200 and not response.body.startswith(b"{"):
            return NotFound()
        return super().finding(response, inquiry)

    def next_of(self, response: Response) -> str:
        return super().next_of(response) if response.body.startswith(b"{") else ""
