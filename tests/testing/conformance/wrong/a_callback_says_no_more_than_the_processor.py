"""It takes what ran out for what was taken back."""

from dataclasses import replace

from paygate.domain.outcome import Ended, Ending
from paygate.gateway import Callback, Notice
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def listed(self, notices: list[Notice], callback: Callback) -> list[Notice]:
        canceled = Ended(how=Ending.CANCELED)
        return [
            replace(each, answer=canceled) if isinstance(each.answer, Ended) else each
            for each in notices
        ]
