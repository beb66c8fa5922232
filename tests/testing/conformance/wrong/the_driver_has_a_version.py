"""It has no version."""

from dataclasses import replace

from paygate.gateway import Traits
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    @property
    def traits(self) -> Traits:
        return replace(super().traits, driver_version=" ")
