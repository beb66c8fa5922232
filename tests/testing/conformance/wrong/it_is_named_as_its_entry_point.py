"""It calls itself by another name."""

from tests.testing.conformance.right import Paper


class Wrong(Paper):
    name = "papier"
