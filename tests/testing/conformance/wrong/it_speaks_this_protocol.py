"""It is written for another version of the protocol."""

from dataclasses import replace

from paygate.gateway import Traits
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    @property
    def traits(self) -> Traits:
        return replace(super().traits, protocol_version=0)
