"""It forgets the card that it stored first."""

from dataclasses import replace

from paygate.dialogue import Dialogue
from paygate.domain.outcome import Outcome
from paygate.domain.secret import Secret
from paygate.gateway import Forgetting, StoredToken
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def forget(self, forgetting: Forgetting) -> Dialogue[Outcome]:
        first = StoredToken(Secret("stored-4Kq9"))
        return super().forget(replace(forgetting, token=first))
