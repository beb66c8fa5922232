"""It says that it takes cards by telephone, and sends nothing of it."""

from dataclasses import replace

from paygate.domain.charging import ChargeFact
from paygate.gateway import Rail
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def card(self) -> Rail:
        return replace(super().card(), takes=frozenset({ChargeFact.METADATA, ChargeFact.MOTO}))
