"""It does not say what a payment is about."""

from dataclasses import replace

from paygate.gateway import Callback, Notice
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def listed(self, notices: list[Notice], callback: Callback) -> list[Notice]:
        return [
            replace(each, our_ref="", reference="") if each.type == "order.done" else each
            for each in notices
        ]
