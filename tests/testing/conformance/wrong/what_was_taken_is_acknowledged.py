"""It says 'no' to what it knows already."""

from paygate.gateway import Applied, Notice, Reply
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def reply(self, notice: Notice, result: Applied) -> Reply:
        return Reply(status=200 if result is Applied.BOOKED else 409)
