"""It offers refunds, and can't make them."""

from typing import Any

from tests.testing.conformance.right import Paper


class Wrong(Paper):
    refund: Any = None
