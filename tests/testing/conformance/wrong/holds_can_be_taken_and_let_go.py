"""It holds money that nobody can let go of."""

from dataclasses import replace
from typing import Any

from paygate.domain.kind import Operation
from paygate.gateway import Rail
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    void: Any = None

    def card(self) -> Rail:
        card = super().card()
        return replace(card, operations=card.operations - {Operation.VOID})
