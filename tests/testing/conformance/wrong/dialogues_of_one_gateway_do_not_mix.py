"""It counts its requests, so that what one asks depends on the others."""

from tests.testing.conformance.right import Paper


class Wrong(Paper):
    _sent = 0

    def headers(self) -> dict[str, str]:
        self._sent += 1
        return {**super().headers(), "x-number": str(self._sent)}
