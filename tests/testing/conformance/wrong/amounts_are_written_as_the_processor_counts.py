"""It believes that every currency has cents."""

from paygate.domain.money import Money
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def cents(self, money: Money) -> int:
        return super().cents(money) * (100 if money.currency == "JPY" else 1)
