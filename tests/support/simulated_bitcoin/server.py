"""The simulated node behind HTTP on loopback."""

from __future__ import annotations

import base64
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

from tests.support.loopback import Handler, serve
from tests.support.simulated_bitcoin.node import RpcError

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.support.simulated_bitcoin.node import SimulatedNode

_JSON: Final = "application/json"


@contextmanager
def serving(node: SimulatedNode, port: int = 0) -> Generator[str]:
    """Serve *node* on loopback, yield its address, and stop when the block ends."""
    with serve(node, _Handler, port) as url:
        node.url = url
        yield url


class _Handler(Handler["SimulatedNode"]):
    methods = frozenset({"POST"})

    def answer(self) -> None:
        """Answer one call, or several."""
        body, node = self.body(), self.processor
        pair = base64.b64encode(f"{node.user}:{node.password}".encode()).decode()
        if self.headers.get("authorization") != f"Basic {pair}":
            self.send(401, _JSON, b"")
            return
        asked: Any = json.loads(body)
        if isinstance(asked, list):
            many = cast("list[dict[str, Any]]", asked)
            self.send(200, _JSON, json.dumps([self._answer(each) for each in many]).encode())
            return
        answer = self._answer(asked)
        self.send(500 if answer["error"] else 200, _JSON, json.dumps(answer).encode())

    def _answer(self, entry: dict[str, Any]) -> dict[str, Any]:
        try:
            result = self.processor.call(str(entry.get("method")), entry.get("params") or [])
        except RpcError as refused:
            error = {"code": refused.code, "message": refused.message}
            return {"result": None, "error": error, "id": entry.get("id")}
        return {"result": result, "error": None, "id": entry.get("id")}
