"""It calls the processor's trouble a decline."""

from paygate.dialogue import Response
from paygate.domain.money import Money
from paygate.domain.outcome import DeclineCode, Declined, Outcome
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def outcome(
        self, response: Response, asked: Money | None = None, *, moved: bool = False
    ) -> Outcome:
        if response.status == 503:
            return Declined(code=DeclineCode.TRY_AGAIN_LATER, raw_code="503", retryable=True)
        return super().outcome(response, asked, moved=moved)
