"""Hosts that really listen: an ASGI or WSGI application behind its server, on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.types import WSGIApplication

import uvicorn

PATIENCE_S = 20.0
"""How long a test waits for a server before it fails; never reached when all is well."""


@contextmanager
def asgi_served(app: Callable[..., Any], **more: Any) -> Iterator[str]:
    """Serve *app* by uvicorn until the block is left, and tell its address."""
    # asyncio sends without Nagle's delay of 40 ms only where the socket names its protocol.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        # It listens before the server runs, so whoever connects early waits and is not refused.
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        config = uvicorn.Config(app, log_config=None, access_log=False, ws="none", **more)
        server = uvicorn.Server(config)
        with running(lambda: server.run(sockets=[listener])):
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                server.should_exit = True


@contextmanager
def wsgi_served(app: WSGIApplication) -> Iterator[str]:
    """Serve *app* by the standard library's server, as `asgi_served` does."""
    with (
        make_server("127.0.0.1", 0, app, handler_class=_Quiet) as server,
        running(lambda: server.serve_forever(poll_interval=0.05)),
    ):
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@contextmanager
def running(serve: Callable[[], object]) -> Iterator[None]:
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(PATIENCE_S)
    assert not thread.is_alive(), "the server did not end"


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name is the base's)
        """Say nothing."""
