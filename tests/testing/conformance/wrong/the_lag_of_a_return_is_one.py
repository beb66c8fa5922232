"""It names a lag for a page from which nobody is brought back."""

from dataclasses import replace
from datetime import timedelta

from paygate.gateway import Rail
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def page(self) -> Rail:
        return replace(super().page(), return_lag=timedelta(minutes=1))
