"""It logs what it sends."""

import logging

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Outcome
from paygate.gateway import Refunding
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def refund(self, refunding: Refunding) -> Dialogue[Outcome]:
        logging.getLogger("paper").debug("refunding with %s", self.headers())
        return super().refund(refunding)
