"""It does not say that it found nothing."""

from paygate.dialogue import Response
from paygate.domain.outcome import Finding, Unknown
from paygate.gateway import Inquiry
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def finding(self, response: Response, inquiry: Inquiry) -> Finding:
        if b'"orders": []' in response.body:
            return Unknown(reason="Paper does not know it")
        return super().finding(response, inquiry)
