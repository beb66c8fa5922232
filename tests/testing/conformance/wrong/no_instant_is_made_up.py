"""It tells an instant that no signature covers."""

from dataclasses import replace

from paygate.gateway import Callback, CallbackProof, Notice
from tests.testing.conformance.right import Paper

SETTINGS = {"proof": CallbackProof.SIGNED}


class Wrong(Paper):
    def listed(self, notices: list[Notice], callback: Callback) -> list[Notice]:
        return [replace(each, signed_at=callback.received_at) for each in notices]
