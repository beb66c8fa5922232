"""
Third-party servers on loopback, and official schemas.

A contract test may skip where its server or schema is missing, but not where
that counts: there, ``--fail-on-skip`` makes a skip a failure.
"""

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Its own command binds all interfaces.
LOCALSTRIPE = """
import sys
from aiohttp import web
from localstripe.server import app
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]))
"""


@pytest.fixture(scope="session")
def localstripe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """
    Start a Stripe-like server that is not ours, and tell its address.

    It keeps no idempotency keys and refuses several valid parameters, so it
    shows a charge, a decline and a look-up, and nothing about retries.
    """
    if importlib.util.find_spec("localstripe") is None:
        pytest.skip("localstripe is not installed; it is in the group `contract`")
    folder = tmp_path_factory.mktemp("localstripe")
    port = free_port()
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-c", LOCALSTRIPE, str(port)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(folder)},  # it writes its state there
        )
        try:
            wait_until_it_listens(server, port, folder / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=10)


@pytest.fixture(scope="session")
def bcoin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Start a full node that is not ours, on a test chain of ripe coins."""
    home = Path(os.environ.get("PAYGATE_BCOIN") or "")
    if not (home / "node_modules" / "bcoin").is_dir():
        pytest.skip("PAYGATE_BCOIN names no folder where npm has installed bcoin")
    if importlib.util.find_spec("wallycore") is None:
        pytest.skip("wallycore is not installed; it is in the extra `bitcoin`")
    from tests.contract.bcoin import Node

    node = Node(home.resolve(), tmp_path_factory.mktemp("bcoin"), free_port(), free_port())
    try:
        node.start()
        node.begin()
        yield node
    finally:
        node.stop()


@pytest.fixture(scope="session")
def stripe_form_problems(protocols: Path) -> Callable[[str, str, dict[str, Any]], list[str]]:
    """Check a form's parameters against Stripe's OpenAPI: ``check(method, path, params)``."""
    spec = importlib.util.spec_from_file_location(
        "stripe_form_tools", protocols / "stripe" / "form_tools.py"
    )
    assert spec is not None
    assert spec.loader is not None
    tools = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tools)
    check: Callable[[str, str, dict[str, Any]], list[str]] = tools.check
    return check


def free_port() -> int:
    """Find a port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def wait_until_it_listens(
    server: subprocess.Popen[bytes], port: int, log: Path, *, patience_s: float = 20
) -> None:
    """Return when *server* accepts connections; show its log if it never does."""
    deadline = time.monotonic() + patience_s
    while server.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"the server did not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def paypal_openapi(protocols: Path) -> Any:
    """The OpenAPI files of PayPal."""
    from tests.contract.paypal_openapi import OpenApi

    return OpenApi(protocols / "paypal")
