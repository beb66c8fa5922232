"""It reads the first page of a list."""

from paygate.dialogue import Response
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def next_of(self, response: Response) -> str:
        super().next_of(response)
        return ""
