"""It waits for a method that the bank refused."""

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Declined, Outcome, Pending
from paygate.gateway import Enrollment
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def enroll(self, enrollment: Enrollment) -> Dialogue[Outcome]:
        outcome = yield from super().enroll(enrollment)
        if isinstance(outcome, Declined):
            return Pending()
        return outcome
