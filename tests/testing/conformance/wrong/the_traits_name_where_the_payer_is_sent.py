"""Its page is not where its traits say."""

from dataclasses import replace

from paygate.gateway import Traits
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    @property
    def traits(self) -> Traits:
        return replace(super().traits, page_origins=frozenset({"https://pay.paper.example"}))
