"""It takes what happened to live money for an answer to its own request."""

from dataclasses import replace

from paygate.dialogue import Response
from paygate.domain.money import Money
from paygate.domain.outcome import Outcome
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def outcome(
        self, response: Response, asked: Money | None = None, *, moved: bool = False
    ) -> Outcome:
        body = response.body.replace(b'"live": true', b'"live": false')
        return super().outcome(replace(response, body=body), asked, moved=moved)
