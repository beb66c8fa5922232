"""It can refund, and does not say so."""

from dataclasses import replace

from paygate.domain.kind import Operation
from paygate.gateway import Rail
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def card(self) -> Rail:
        card = super().card()
        return replace(card, operations=card.operations - {Operation.REFUND})
