"""Its field for the amount is too short."""

from paygate.domain.money import Money
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def cents(self, money: Money) -> int:
        return super().cents(money) % 1_000_000
