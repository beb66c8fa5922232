"""It sends back all that was paid."""

from paygate.dialogue import Response
from paygate.gateway import Refunding
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def of_refund(self, refunding: Refunding, paid: Response) -> dict[str, object]:
        cents = self.read(paid, lambda told: told["moved"][0]["cents"])
        return {**super().of_refund(refunding, paid), "cents": cents}
