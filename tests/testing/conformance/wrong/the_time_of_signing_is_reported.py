"""It does not tell when it was signed."""

from dataclasses import replace

from paygate.gateway import Callback, Notice
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def listed(self, notices: list[Notice], callback: Callback) -> list[Notice]:
        return [replace(each, signed_at=None) for each in notices]
