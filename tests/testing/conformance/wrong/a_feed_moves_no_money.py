"""It believes that reading moves money."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.gateway import FeedPage
from tests.testing.conformance.relay import changing
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def feed(self, cursor: str) -> Dialogue[FeedPage]:
        return changing(super().feed(cursor), lambda each: replace(each, moves_money=True))
