"""It needs a token to get one."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.gateway import AccessToken
from tests.testing.conformance.relay import changing
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def sign_in(self) -> Dialogue[AccessToken]:
        return changing(super().sign_in(), lambda each: replace(each, sign_in=True))
