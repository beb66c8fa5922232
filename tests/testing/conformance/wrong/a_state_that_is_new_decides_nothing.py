"""It takes a state that it does not know for a decline."""

from collections.abc import Mapping
from typing import Any

from paygate.domain.outcome import DeclineCode, Declined, Outcome
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def order(self, told: Mapping[str, Any]) -> Outcome:
        if told["state"] == "moon":
            return Declined(code=DeclineCode.GENERIC, raw_code="moon", retryable=False)
        return super().order(told)
