"""It believes 'not found' at once."""

from dataclasses import replace
from datetime import timedelta

from paygate.gateway import Traits
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    @property
    def traits(self) -> Traits:
        return replace(super().traits, max_in_flight=timedelta(0))
