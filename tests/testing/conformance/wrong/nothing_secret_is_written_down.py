"""Its signing key stands in a transcript."""

from tests.testing.conformance.right import Paper

SETTINGS = {"signing_key": "moon.full"}


class Wrong(Paper):
    pass
