"""It reads everything each time."""

from paygate.dialogue import Dialogue
from paygate.gateway import FeedPage
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def feed(self, cursor: str) -> Dialogue[FeedPage]:
        return super().feed("")
