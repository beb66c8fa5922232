"""It gives each gateway a number, and sends it."""

import uuid

from tests.testing.conformance.right import Paper, PaperSettings


class Wrong(Paper):
    def __init__(self, settings: PaperSettings) -> None:
        super().__init__(settings)
        self._number = uuid.uuid4().hex

    def headers(self) -> dict[str, str]:
        return {**super().headers(), "x-gateway": self._number}
