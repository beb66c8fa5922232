"""It serves a kind that no test tries."""

from dataclasses import replace

from paygate.domain.kind import Kind
from paygate.domain.secret import RawBankAccount
from paygate.gateway import Traits
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    @property
    def traits(self) -> Traits:
        traits = super().traits
        terminal = replace(self.card(), methods=frozenset({RawBankAccount}))
        return replace(traits, rails={**traits.rails, Kind.TERMINAL: terminal})
