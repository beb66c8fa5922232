"""It shows the key that it checked with."""

from datetime import datetime

from paygate.errors import NotAuthentic
from paygate.gateway import Callback
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def authenticate(self, callback: Callback) -> datetime | None:
        try:
            return super().authenticate(callback)
        except NotAuthentic as refusal:
            key = self._settings.signing_key.reveal()
            raise NotAuthentic(f"not signed with {key}") from refusal
