"""Its traits change by themselves."""

from dataclasses import replace
from itertools import count

from paygate.gateway import Traits
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    _versions = count()

    @property
    def traits(self) -> Traits:
        return replace(super().traits, driver_version=str(next(self._versions)))
