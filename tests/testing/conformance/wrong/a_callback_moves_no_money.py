"""It moves money because somebody called."""

from paygate.dialogue import Dialogue
from paygate.gateway import Callback, Notice
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        notices = self.authentic(callback)
        yield self.request("thanks", "any", {}, moves=True)
        return notices
