"""It has the key of its author's account built in."""

from datetime import datetime

from paygate.domain.secret import Secret
from paygate.gateway import Callback
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def authenticate(self, callback: Callback) -> datetime | None:
        own = self._settings.model_copy(update={"signing_key": Secret("paper-signing-9Zt4")})
        return Paper(own).authenticate(callback)
