"""It gives each callback that comes a new id."""

from dataclasses import replace

from paygate.gateway import Callback, Notice
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def authentic(self, callback: Callback) -> list[Notice]:
        return [
            replace(each, event_id=f"{each.event_id} {callback.received_at}")
            for each in super().authentic(callback)
        ]
