"""It refuses what it does not know."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from paygate.gateway import Notice
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def notice(self, told: Mapping[str, Any], signed_at: datetime | None = None) -> Notice:
        if told["type"] == "moon.full":
            raise ValueError("no such type")
        return super().notice(told, signed_at)
