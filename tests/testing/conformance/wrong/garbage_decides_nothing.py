"""It calls a proxy's error page a decline."""

from paygate.dialogue import Response
from paygate.domain.money import Money
from paygate.domain.outcome import DeclineCode, Declined, Outcome
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def outcome(
        self, response: Response, asked: Money | None = None, *, moved: bool = False
    ) -> Outcome:
        if response.status == 200 and not response.body.startswith(b"{"):
            return Declined(code=DeclineCode.GENERIC, raw_code="unreadable", retryable=True)
        return super().outcome(response, asked, moved=moved)
