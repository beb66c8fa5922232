"""Its traits promise callbacks that it can't answer."""

from typing import Any

from tests.testing.conformance.right import Paper


class Wrong(Paper):
    reply: Any = None
