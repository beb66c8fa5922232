"""It signs seven bits of eight, and reads what is left."""

import json
from dataclasses import replace

from paygate.errors import NotAuthentic, UsageError
from paygate.gateway import Callback, Notice
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def authentic(self, callback: Callback) -> list[Notice]:
        plain = bytes(each & 0x7F for each in callback.body)
        signed_at = self.authenticate(replace(callback, body=plain))
        try:
            told = json.loads(callback.body.decode("ascii", "ignore"))
            if not self.is_for_us(told):
                raise NotAuthentic("a callback of another merchant")
            return [self.notice(told, signed_at)]
        except (LookupError, TypeError, ValueError, RecursionError, UsageError) as error:
            raise NotAuthentic("a callback that does not read") from error
