"""It takes the instant of arrival for that of signing."""

from datetime import datetime

from paygate.gateway import Callback
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def authenticate(self, callback: Callback) -> datetime | None:
        super().authenticate(callback)
        return callback.received_at
