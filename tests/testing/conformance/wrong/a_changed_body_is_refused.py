"""It reads other bytes than it authenticates."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

from paygate.errors import NotAuthentic
from paygate.gateway import Callback
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def authentic(self, callback: Callback) -> list[tuple[dict[str, Any], datetime | None]]:
        plain = bytes(each & 0x7F for each in callback.body)
        signed_at = self.authenticate(replace(callback, body=plain))
        try:
            told = json.loads(callback.body.decode("ascii", "ignore"))
            return [(each, signed_at) for each in self.events(told)]
        except (AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise NotAuthentic("a callback that does not read") from error
