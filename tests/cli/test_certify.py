"""`paygate certify`: the report, the exit status, and waiting for a callback."""

from __future__ import annotations

import socket
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.support.simulated_stripe import SimulatedStripe, serving


def test_the_report_is_written_and_a_pass_exits_with_0(run: Run, folder: Path) -> None:
    done = run("certify", "card", "--gateways", "gateways.toml", "--report", "report.md")

    assert done.code == 0
    assert "9 passed, 0 failed, 2 skipped" in done.out
    assert "| A charge is refunded | passed |" in (folder / "report.md").read_text()


def test_a_token_that_is_not_declined_fails_and_is_not_shown(run: Run) -> None:
    wrong = ("--decline", "tok_visa_debit")

    done = run("certify", "card", "--gateways", "gateways.toml", "--json", *wrong)

    assert done.code == 1
    found = {step["name"]: step for step in done.json["certification"]["steps"]}
    assert found["decline"]["result"] == "failed"
    assert "tok_visa_debit" not in done.all


def test_an_address_without_a_port_is_refused(run: Run) -> None:
    done = run(
        "certify", "card", "--gateways", "gateways.toml", "--json", "--callbacks-on", "nowhere"
    )

    assert done.code == 2
    assert "127.0.0.1:8080" in done.error["message"]


@pytest.fixture
def stripe() -> Iterator[SimulatedStripe]:
    made = SimulatedStripe()
    with serving(made):
        yield made


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _send(stripe: SimulatedStripe, url: str, enough: threading.Event) -> None:
    """Send each webhook until it is taken in, as Stripe does."""
    while not enough.is_set():
        for headers, body in list(stripe.webhooks):
            request = urllib.request.Request(url, body, headers)  # noqa: S310  (it is loopback)
            try:
                urllib.request.urlopen(request, timeout=5).close()  # noqa: S310
            except OSError:
                break
        enough.wait(0.05)


def test_a_callback_is_waited_for(run: Run, folder: Path, stripe: SimulatedStripe) -> None:
    (folder / "stripe.toml").write_text(
        f'[card]\ndriver = "stripe"\nsecret_key = "{stripe.secret_key}"\n'
        f'webhook_secrets = ["{stripe.signing_secret}"]\napi_base = "{stripe.url}"\n'
    )
    port, enough = _free_port(), threading.Event()
    url = f"http://127.0.0.1:{port}/card"
    sender = threading.Thread(target=_send, args=(stripe, url, enough))
    sender.start()
    try:
        done = run(
            "certify",
            "card",
            "--gateways",
            "stripe.toml",
            "--json",
            "--callbacks-on",
            f"127.0.0.1:{port}",
        )
    finally:
        enough.set()
        sender.join()

    assert done.code == 0, done.all
    steps = {step["name"]: step["result"] for step in done.json["certification"]["steps"]}
    assert steps["callback"] == "passed"
    assert stripe.secret_key not in done.all


def test_a_forged_callback_is_not_one(run: Run, folder: Path, stripe: SimulatedStripe) -> None:
    (folder / "stripe.toml").write_text(
        f'[card]\ndriver = "stripe"\nsecret_key = "{stripe.secret_key}"\n'
        f'webhook_secrets = ["whsec_another"]\napi_base = "{stripe.url}"\n'
    )
    port, enough = _free_port(), threading.Event()
    sender = threading.Thread(target=_send, args=(stripe, f"http://127.0.0.1:{port}/", enough))
    sender.start()
    try:
        done = run(
            "certify",
            "card",
            "--gateways",
            "stripe.toml",
            "--json",
            "--callbacks-on",
            f"127.0.0.1:{port}",
            "--callbacks-within",
            "1",
        )
    finally:
        enough.set()
        sender.join()

    assert done.code == 1
    steps = {step["name"]: step["result"] for step in done.json["certification"]["steps"]}
    assert steps["callback"] == "failed"
