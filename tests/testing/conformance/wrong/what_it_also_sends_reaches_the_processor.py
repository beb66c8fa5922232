"""It says that it passes on the host's data, and does not."""

from typing import Any

from paygate.gateway import Charge
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def about(self, charge: Charge) -> dict[str, Any]:
        return {**super().about(charge), "data": {}}
