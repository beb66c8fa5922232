"""It gives each callback that comes a new id."""

from dataclasses import replace

from paygate.gateway import Callback, Notice
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def listed(self, notices: list[Notice], callback: Callback) -> list[Notice]:
        return [replace(each, type=f"{each.type} {callback.received_at}") for each in notices]
