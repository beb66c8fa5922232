"""It trips over what it can't read."""

import json

from paygate.gateway import Callback, Notice
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def authentic(self, callback: Callback) -> list[Notice]:
        self.authenticate(callback)
        json.loads(callback.body)
        return super().authentic(callback)
