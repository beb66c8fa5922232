"""It takes other merchants' callbacks for ours."""

from collections.abc import Mapping
from typing import Any

from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def is_for_us(self, told: Mapping[str, Any]) -> bool:
        return self.is_our_mode(told) and "merchant" in told
