"""Its entry point names another class."""

from tests.testing.conformance.right import Paper


class Wrong(Paper):
    pass


ENTRY_POINT = Paper
