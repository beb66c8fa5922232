"""It names the address of its page instead of the origin."""

from dataclasses import replace

from paygate.gateway import Traits
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    @property
    def traits(self) -> Traits:
        origins = super().traits.page_origins
        return replace(super().traits, page_origins=origins | {"https://paper.example/pay"})
