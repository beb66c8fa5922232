"""It finds what happened to live money."""

from dataclasses import replace

from paygate.dialogue import Response
from paygate.domain.outcome import Finding
from paygate.gateway import Inquiry
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def finding(self, response: Response, inquiry: Inquiry) -> Finding:
        body = response.body.replace(b'"live": true', b'"live": false')
        return super().finding(replace(response, body=body), inquiry)
