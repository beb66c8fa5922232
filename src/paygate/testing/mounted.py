"""A transport to an ASGI application in the same process, for tests that are not async."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from typing_extensions import override

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal
    from starlette.types import ASGIApp


class Mounted(httpx.BaseTransport):
    """Send requests to *app*, on the event loop of *portal*."""

    def __init__(self, app: ASGIApp, portal: BlockingPortal) -> None:
        self._app = httpx.ASGITransport(app)
        self._portal = portal

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the application's response, or raise the exception that it raises."""
        request.read()
        return self._portal.call(self._answer, request)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        sent = httpx.Request(
            request.method, request.url, headers=request.headers, content=request.content
        )
        answer = await self._app.handle_async_request(sent)
        return httpx.Response(
            answer.status_code, headers=answer.headers, content=await answer.aread()
        )
