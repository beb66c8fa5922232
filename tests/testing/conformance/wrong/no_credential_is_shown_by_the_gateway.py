"""It shows its key."""

from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def __repr__(self) -> str:
        return f"Paper({self._settings.api_key.reveal()})"
