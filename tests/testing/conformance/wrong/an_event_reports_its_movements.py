"""Its feed keeps the money for itself."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.gateway import FeedPage
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def feed(self, cursor: str) -> Dialogue[FeedPage]:
        page = yield from super().feed(cursor)
        return replace(page, notices=tuple(replace(each, movements=()) for each in page.notices))
