"""It makes a token of a refusal."""

from paygate.dialogue import Dialogue
from paygate.domain.secret import Secret
from paygate.errors import BadResponse
from paygate.gateway import AccessToken
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def sign_in(self) -> Dialogue[AccessToken]:
        try:
            return (yield from super().sign_in())
        except BadResponse:
            return AccessToken(value=Secret(""), expires_in_s=60)
