"""It believes what is told of live money."""

from collections.abc import Mapping
from typing import Any

from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def is_our_mode(self, told: Mapping[str, Any]) -> bool:
        return True
