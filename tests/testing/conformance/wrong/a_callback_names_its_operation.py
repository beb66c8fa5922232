"""It does not say what it is about."""

from dataclasses import replace

from paygate.gateway import Callback, Notice
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def authentic(self, callback: Callback) -> list[Notice]:
        return [replace(each, our_ref="", reference="") for each in super().authentic(callback)]
