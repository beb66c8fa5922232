"""It crashes on what it cannot read."""

import json
from datetime import datetime
from typing import Any

from paygate.gateway import Callback
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def authentic(self, callback: Callback) -> list[tuple[dict[str, Any], datetime | None]]:
        self.authenticate(callback)
        json.loads(callback.body)
        return super().authentic(callback)
