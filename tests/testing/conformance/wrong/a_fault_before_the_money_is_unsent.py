"""It takes every fault for a doubt."""

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Outcome, Unknown
from paygate.errors import NoReply, NotSent
from paygate.gateway import ClosingUp
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def close(self, closing: ClosingUp) -> Dialogue[Outcome]:
        try:
            return (yield from super().close(closing))
        except (NotSent, NoReply) as fault:
            return Unknown(reason=str(fault))
