"""It is one object for all merchants."""

from typing import Self

from tests.testing.conformance.right import Paper, PaperSettings


class Wrong(Paper):
    _only: Self | None = None

    def __new__(cls, settings: PaperSettings) -> Self:
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only
