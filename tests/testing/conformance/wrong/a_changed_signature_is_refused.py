"""It believes who does not sign at all."""

from datetime import datetime

from paygate.gateway import Callback
from tests.testing.conformance.right import SIGNATURE, Paper


class Wrong(Paper):
    def authenticate(self, callback: Callback) -> datetime | None:
        if SIGNATURE not in callback.headers:
            return None
        return super().authenticate(callback)
