"""It takes a currency that does not exist."""

from dataclasses import replace

from paygate.gateway import Rail
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def card(self) -> Rail:
        card = super().card()
        return replace(card, currencies=(card.currencies or frozenset()) | {"XQQ"})
