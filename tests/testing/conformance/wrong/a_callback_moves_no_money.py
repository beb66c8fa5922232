"""It asks for something that moves money while it verifies."""

from paygate.dialogue import Dialogue
from paygate.gateway import Callback, Notice
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        notices = yield from super().verify(callback)
        yield self.request("thanks", "any", {}, moves=True)
        return notices
