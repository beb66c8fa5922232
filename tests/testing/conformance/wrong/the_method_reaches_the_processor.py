"""It charges the token of its first test."""

from paygate.domain.secret import OneTimeToken
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def method(self, method: object) -> dict[str, str]:
        if isinstance(method, OneTimeToken):
            return {"token": "tok_visa"}
        return super().method(method)
