"""The how-to "try your checkout in a browser", for real: a shop and the processor as processes."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

EXAMPLE = Path(__file__).parent.parent / "examples" / "browser_checkout.py"
PATIENCE_S = 60.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[httpx.Client]:
    """A payer's browser in front of the shop."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    program = Path(sys.executable).with_name("paygate")
    told = f"{url}/payments/page"
    with ExitStack() as stack:
        processor = stack.enter_context(
            subprocess.Popen(
                [
                    program,
                    "fake-processor",
                    "serve",
                    "--callbacks-to",
                    told,
                    "--late-s",
                    "0",
                    "--parent",
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=tmp_path,
            )
        )
        stack.callback(processor.terminate)
        assert processor.stdout is not None
        at = json.loads(processor.stdout.readline())["url"]
        running = stack.enter_context(
            subprocess.Popen(
                [sys.executable, str(EXAMPLE)],
                env={**os.environ, "PROCESSOR": at, "PORT": str(port)},
                cwd=tmp_path,
            )
        )
        stack.callback(running.terminate)
        browser = stack.enter_context(
            httpx.Client(base_url=url, timeout=PATIENCE_S, follow_redirects=True)
        )
        eventually(lambda: answers(browser, running))
        yield browser


def answers(browser: httpx.Client, running: subprocess.Popen[bytes]) -> bool:
    assert running.poll() is None, "the shop did not start"
    try:
        return browser.get("/").status_code == 200
    except httpx.TransportError:
        return False


def eventually(done: object) -> None:
    assert callable(done)
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.02)


def heading(page: httpx.Response) -> str:
    found = re.search("<h1>(.*?)</h1>", page.text)
    assert found, page.text
    return found[1]


def test_a_checkout_is_clicked_through(shop: httpx.Client) -> None:
    page = shop.post("/checkout")
    assert heading(page) == "Pay 30.00 USD"
    assert page.url.path.startswith("/pay/")

    declined = shop.post(page.url, data={"do": "decline"})
    paid = shop.post(page.url, data={"do": "pay"})

    assert "You can try again" in declined.text
    assert str(paid.url).startswith(str(shop.base_url))
    assert heading(paid) == "Thank you. Your order is paid."


def test_who_cancels_has_not_paid(shop: httpx.Client) -> None:
    page = shop.post("/checkout")

    back = shop.post(page.url, data={"do": "cancel"})

    assert heading(back) == "Nothing was paid."


def test_late_money_is_told_by_a_callback(shop: httpx.Client) -> None:
    page = shop.post("/checkout")

    back = shop.post(page.url, data={"do": "late"})

    eventually(lambda: heading(shop.get(back.url)) == "Thank you. Your order is paid.")
