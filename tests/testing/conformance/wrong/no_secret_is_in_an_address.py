"""It puts the key into the address."""

from paygate.dialogue import Request
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def get(self, step: str, **asked: str) -> Request:
        return super().get(step, key=self._settings.api_key.reveal(), **asked)
