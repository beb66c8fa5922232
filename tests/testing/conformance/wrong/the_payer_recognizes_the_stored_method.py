"""It keeps more of the number than four digits."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Approved, Outcome
from paygate.gateway import Enrollment
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def enroll(self, enrollment: Enrollment) -> Dialogue[Outcome]:
        outcome = yield from super().enroll(enrollment)
        if isinstance(outcome, Approved) and outcome.method is not None:
            return replace(outcome, method=replace(outcome.method, last4="11114242"))
        return outcome
