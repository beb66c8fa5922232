"""It charges dollars, whatever is asked."""

from typing import Any

from paygate.gateway import Capture, Charge, Completion, Refunding, Voiding
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def money(self, asked: Charge | Completion | Capture | Voiding | Refunding) -> dict[str, Any]:
        return {**super().money(asked), "currency": "USD"}
