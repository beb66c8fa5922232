"""It takes a refused inquiry for a refused charge."""

from paygate.dialogue import Response
from paygate.domain.outcome import Finding, RejectCause, Rejected
from paygate.gateway import Inquiry
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def finding(self, response: Response, inquiry: Inquiry) -> Finding:
        if response.status == 401:
            return Rejected(cause=RejectCause.CREDENTIALS, retryable=False)
        return super().finding(response, inquiry)
