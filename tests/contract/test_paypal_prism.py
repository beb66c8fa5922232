"""
What the PayPal driver sends, over our own transport, before servers made of PayPal's OpenAPI files.

Prism checks the form and not the behavior: paths, headers, and the bodies by their schema. Its
answers are samples, and nobody reads them here; what counts is that it names no violation.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from paygate.dialogue import Request
from paygate.transport import HttpTransport
from tests.contract.conftest import free_port, wait_until_it_listens
from tests.contract.paypal_files import FILES
from tests.contract.test_paypal_openapi import everything
from tests.drivers.paypal.conftest import paypal

PATIENCE_S = 120.0
PARTS = dict(zip(("checkout", "payments", "vault", "notifications"), FILES, strict=True))


@pytest.fixture(scope="module")
def prisms(protocols: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Start Prism on each file; in the published ones it would validate no body at all."""
    installed = os.environ.get("PAYGATE_PRISM", "")
    program = Path(installed) / "node_modules/.bin/prism"
    if not installed or not program.is_file():
        pytest.skip(
            "no Prism; npm install @stoplight/prism-cli@5 somewhere, and name the folder in "
            "PAYGATE_PRISM"
        )
    folder = tmp_path_factory.mktemp("prism")
    patch = protocols / "paypal" / "prism_patch.py"
    subprocess.run([sys.executable, str(patch), str(folder)], check=True, capture_output=True)
    with contextlib.ExitStack() as stack:
        started: list[tuple[str, subprocess.Popen[bytes], int, Path]] = []
        for part, name in PARTS.items():
            port, said = free_port(), folder / f"{name}.log"
            log = stack.enter_context(said.open("w"))
            document = str(folder / f"{name}.json")
            command = [str(program), "mock", "-h", "127.0.0.1", "-p", str(port), document]
            server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
            stack.callback(server.wait, timeout=10)
            stack.callback(server.terminate)
            started.append((part, server, port, said))
        for _, server, port, said in started:
            wait_until_it_listens(server, port, said, patience_s=PATIENCE_S)
        yield {part: f"http://127.0.0.1:{port}" for part, _, port, _ in started}


@pytest.fixture
def transport() -> Iterator[HttpTransport]:
    with contextlib.closing(HttpTransport()) as opened:
        yield opened


def sent_to(prisms: dict[str, str], request: Request) -> Request:
    """Return *request* as it goes to the server for its part, signed in."""
    parts = urlsplit(request.url)
    base = next(url for part, url in prisms.items() if f"/{part}/" in parts.path)
    headers = {**request.headers, "Authorization": "Bearer A21AA"}
    query = f"?{parts.query}" if parts.query else ""
    return replace(request, url=f"{base}{parts.path}{query}", headers=headers, sign_in=False)


def test_what_we_send_violates_nothing(prisms: dict[str, str], transport: HttpTransport) -> None:
    requests = everything(paypal())

    for request in requests:
        body = request.body.replace(b"SETUP_TOKEN", b"BILLING_AGREEMENT")  # the only type it knows
        answer = transport.exchange(sent_to(prisms, replace(request, body=body)))
        violations = [
            each
            for each in json.loads(answer.headers.get("sl-violations", "[]"))
            if each["location"][0] != "response"  # its own samples
        ]
        assert (violations, answer.status // 100) == ([], 2), (request.step, request.url)
    assert len({request.step for request in requests}) >= 10


def test_prism_would_say_so(prisms: dict[str, str], transport: HttpTransport) -> None:
    """A check that never refuses shows nothing."""
    request = everything(paypal())[0]
    body = json.loads(request.body)
    del body["purchase_units"]
    without = replace(sent_to(prisms, request), body=json.dumps(body).encode())

    answer = transport.exchange(without)

    assert answer.status == 422
    assert "purchase_units" in answer.headers.get("sl-violations", "")
