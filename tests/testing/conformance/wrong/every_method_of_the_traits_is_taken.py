"""Its traits take card numbers, and it does not."""

from paygate.domain.secret import RawCard
from paygate.errors import Unsupported
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def method(self, method: object) -> dict[str, str]:
        if isinstance(method, RawCard):
            raise Unsupported("no card numbers")
        return super().method(method)
