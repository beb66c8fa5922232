"""It keeps its token for days."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.gateway import AccessToken
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def sign_in(self) -> Dialogue[AccessToken]:
        token = yield from super().sign_in()
        return replace(token, expires_in_s=1_000_000)
