"""It reads the last event of a callback, whose money it keeps together."""

from dataclasses import replace

from paygate.gateway import Callback, Notice
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def listed(self, notices: list[Notice], callback: Callback) -> list[Notice]:
        together = [moved for each in notices for moved in each.movements]
        return [replace(each, movements=tuple(together)) for each in notices[-1:]]
