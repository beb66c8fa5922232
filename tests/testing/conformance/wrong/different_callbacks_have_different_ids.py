"""It gives all callbacks one id."""

from dataclasses import replace

from paygate.gateway import Callback, Notice
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def authentic(self, callback: Callback) -> list[Notice]:
        return [replace(each, event_id="paper") for each in super().authentic(callback)]
