"""It rounds in secret."""

from paygate.domain.money import Money
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def cents(self, money: Money) -> int:
        if money.currency == "KWD":
            return money.minor - money.minor % 10
        return super().cents(money)
