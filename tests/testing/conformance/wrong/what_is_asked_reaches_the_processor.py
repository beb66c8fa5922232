"""It does not pass on that a card is to be kept."""

from typing import Any

from paygate.gateway import Charge
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def about(self, charge: Charge) -> dict[str, Any]:
        return {**super().about(charge), "keep": False}
