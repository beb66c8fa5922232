"""It says 'ok' to everything, and the counter keeps the cash."""

from paygate.gateway import Applied, CallbackStyle, Notice, Reply
from tests.testing.conformance.right import Paper

SETTINGS = {"callbacks": CallbackStyle.ANSWERED}


class Wrong(Paper):
    def reply(self, notice: Notice, result: Applied) -> Reply:
        return Reply(body=b"ok")
