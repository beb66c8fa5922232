"""It writes a brand in its own way."""

from dataclasses import replace

from paygate.gateway import Rail
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def card(self) -> Rail:
        return replace(super().card(), brands=frozenset({"Visa"}))
