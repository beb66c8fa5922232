"""It calls a duplicate declined, though the first one went through."""

from paygate.dialogue import Response
from paygate.domain.money import Money
from paygate.domain.outcome import DeclineCode, Declined, Outcome
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def outcome(
        self, response: Response, asked: Money | None = None, *, moved: bool = False
    ) -> Outcome:
        if response.status == 409:
            return Declined(code=DeclineCode.DUPLICATE, raw_code="duplicate", retryable=False)
        return super().outcome(response, asked, moved=moved)
