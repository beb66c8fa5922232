"""It tells the newest event first."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.gateway import FeedPage
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def feed(self, cursor: str) -> Dialogue[FeedPage]:
        page = yield from super().feed(cursor)
        return replace(page, notices=page.notices[::-1])
