"""It believes that a timeout means failed."""

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Outcome, RejectCause, Rejected
from paygate.errors import NoResponse
from paygate.gateway import Refunding
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def refund(self, refunding: Refunding) -> Dialogue[Outcome]:
        try:
            return (yield from super().refund(refunding))
        except NoResponse:
            return Rejected(cause=RejectCause.UNAVAILABLE, retryable=True)
