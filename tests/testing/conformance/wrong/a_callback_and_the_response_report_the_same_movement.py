"""It gives the money of a callback another id."""

from dataclasses import replace

from paygate.gateway import Callback, Notice
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def listed(self, notices: list[Notice], callback: Callback) -> list[Notice]:
        return [
            replace(
                each,
                movements=tuple(
                    replace(moved, movement_id=f"ev-{moved.movement_id}")
                    for moved in each.movements
                ),
            )
            for each in notices
        ]
