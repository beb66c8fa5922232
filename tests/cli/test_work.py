"""``paygate work``: a process that does due work, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.request import urlopen

import pytest

from paygate import Cashier, Money, PaymentStatus
from paygate.testing import FakeClock, read_journal
from tests.cli.conftest import Run

PATIENCE_S: Final = 60.0

# Its requests wait until there is a file `go`; that one waits is told by a file `waiting`.
SHOP = """
import asyncio, time
from pathlib import Path

from paygate import AsyncCashier, Cashier
from paygate.service.flow import Exchange

GATEWAYS = {"card": {"driver": "fake", "journal": "card.jsonl"}}
LEDGER = "sqlite:///shop.db"


class Slow(Cashier):
    def _do(self, step):
        if isinstance(step, Exchange):
            Path("waiting").touch()
            while not Path("go").exists():
                time.sleep(0.005)
        return super()._do(step)


class SlowAsync(AsyncCashier):
    async def _do(self, step):
        if isinstance(step, Exchange):
            Path("waiting").touch()
            while not Path("go").exists():
                await asyncio.sleep(0.005)
        return await super()._do(step)


def cashier():
    return Slow.open(LEDGER, gateways=GATEWAYS)


def in_asyncio():
    return SlowAsync.open(LEDGER, gateways=GATEWAYS)


def broken():
    raise RuntimeError("the vault is sealed")


def other():
    return "a text"
"""

FACTORIES: Final = ("shop:cashier", "shop:in_asyncio")


@pytest.fixture
def doubtful(folder: Path) -> Path:
    """A payment whose outcome is unknown, and whose inquiry has been due for long."""
    (folder / "shop.py").write_text(SHOP)
    gateways = {"card": {"driver": "fake", "journal": "card.jsonl"}}
    with Cashier.open("sqlite:///shop.db", gateways=gateways, clock=FakeClock()) as cashier:
        cashier.issue(
            number="INV-1", customer="C-1", total=Money.of("USD", "30.00"), due="2026-12-01"
        )
        cashier.collect("INV-1", via="card", method="tok_unknown_executed", key="k")
    return folder


def status_of(folder: Path) -> PaymentStatus:
    with Cashier.open(f"sqlite:///{folder / 'shop.db'}") as cashier:
        assert cashier.fsck() == []
        [payment] = cashier.payments()
        return payment.status


@contextmanager
def working(*arguments: str) -> Generator[subprocess.Popen[str]]:
    program = Path(sys.executable).with_name("paygate")
    with subprocess.Popen(
        [program, "work", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(path: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert time.monotonic() < until, f"there is no {path.name}"
        time.sleep(0.005)


def line_with(process: subprocess.Popen[str], text: str) -> str:
    assert process.stderr is not None
    return next(line for line in process.stderr if text in line)


@pytest.mark.parametrize("factory", FACTORIES)
def test_work_once_does_what_is_due_and_ends(doubtful: Path, shell: Run, factory: str) -> None:
    (doubtful / "go").touch()

    done = shell("work", "--once", "--app", factory, "--json")

    assert (done.code, done.err) == (0, "")
    assert done.json["done"]["jobs"]["inquire"] == 1
    assert status_of(doubtful) is PaymentStatus.SUCCEEDED


@pytest.mark.parametrize("factory", FACTORIES)
def test_sigterm_in_the_middle_of_a_job_lets_it_end(doubtful: Path, factory: str) -> None:
    with working("--app", factory) as process:
        wait_for(doubtful / "waiting")
        process.send_signal(signal.SIGTERM)
        line_with(process, "stopping")
        assert process.poll() is None
        (doubtful / "go").touch()
        out, _ = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 0
    assert "1 inquire" in out
    assert status_of(doubtful) is PaymentStatus.SUCCEEDED


@pytest.mark.parametrize("factory", FACTORIES)
def test_a_deadline_ends_a_job_that_takes_too_long(
    doubtful: Path, shell: Run, factory: str
) -> None:
    with working("--app", factory, "--drain", "0") as process:
        wait_for(doubtful / "waiting")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 0
    assert "abandoned" in out
    assert "abandoned and given back: inquire card" in err
    assert status_of(doubtful) is PaymentStatus.UNKNOWN
    (doubtful / "go").touch()
    another = shell("work", "--once", "--app", "shop:cashier", "--json")
    assert another.json["done"]["jobs"]["inquire"] == 1
    assert status_of(doubtful) is PaymentStatus.SUCCEEDED


@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_worker_that_is_ended_at_once_loses_nothing(
    doubtful: Path, shell: Run, factory: str, how: signal.Signals
) -> None:
    with working("--app", factory) as process:
        wait_for(doubtful / "waiting")
        if how is signal.SIGTERM:
            process.send_signal(how)
            line_with(process, "a second signal ends it at once")
        process.send_signal(how)
        _, err = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == (128 + how if how is signal.SIGTERM else -how)
    assert status_of(doubtful) is PaymentStatus.UNKNOWN
    (doubtful / "go").touch()
    # Only a worker that can still say so gives its jobs back; otherwise their leases must end.
    work = ("work", "--once") if how is signal.SIGTERM else ("payment", "recover")
    assert ("given back: inquire card" in err) is (how is signal.SIGTERM)
    assert shell(*work, "--app", "shop:cashier").code == 0
    assert status_of(doubtful) is PaymentStatus.SUCCEEDED
    assert len(read_journal(doubtful / "card.jsonl")) == 1


def test_two_workers_ask_about_a_payment_once(doubtful: Path) -> None:
    (doubtful / "go").touch()
    with (
        working("--once", "--app", "shop:cashier", "--json") as one,
        working("--once", "--app", "shop:in_asyncio", "--json") as two,
    ):
        outs = [each.communicate(timeout=PATIENCE_S)[0] for each in (one, two)]

    assert sum(json.loads(out)["done"]["jobs"]["inquire"] for out in outs) == 1
    assert status_of(doubtful) is PaymentStatus.SUCCEEDED


def test_a_worker_says_whether_it_is_ready(doubtful: Path) -> None:
    (doubtful / "go").touch()
    with working("--app", "shop:cashier", "--health-port", "0") as process:
        found = re.search(r"http://127\.0\.0\.1:\d+", line_with(process, "health on"))
        assert found is not None
        until = time.monotonic() + PATIENCE_S
        ready = False
        while not ready and time.monotonic() < until:
            try:
                with urlopen(f"{found[0]}/ready") as answer:  # noqa: S310  (on loopback)
                    ready = answer.status == 200
            except OSError:
                time.sleep(0.01)
        assert ready
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 0


def test_a_program_is_told_the_health_port(doubtful: Path) -> None:
    (doubtful / "go").touch()
    with working("--app", "shop:cashier", "--health-port", "0", "--json") as process:
        told = json.loads(line_with(process, "health"))["health"]
        with urlopen(f"{told}/live") as answer:  # noqa: S310  (on loopback)
            assert answer.status == 200
        until = time.monotonic() + PATIENCE_S
        while status_of(doubtful) is not PaymentStatus.SUCCEEDED:
            assert time.monotonic() < until, "the worker has not asked"
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE_S)

    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", told)
    assert json.loads(out)["done"]["jobs"]["inquire"] == 1
    assert err == ""


def test_a_factory_that_fails_is_named_with_its_error(doubtful: Path, shell: Run) -> None:
    broken = shell("work", "--app", "shop:broken")
    assert broken.code == 2
    assert "--app shop:broken failed with RuntimeError" in broken.err
    assert "Traceback" not in broken.err

    other = shell("work", "--app", "shop:other")
    assert other.code == 2
    assert "--app shop:other returned str" in other.err

    missing = shell("work", "--app", "nowhere:cashier")
    assert missing.code == 2
    assert "nowhere" in missing.err


@pytest.mark.parametrize("factory", FACTORIES)
def test_what_needs_a_person_changes_the_exit_status_only_if_asked(
    doubtful: Path, shell: Run, factory: str
) -> None:
    (doubtful / "go").touch()
    gateways = {"card": {"driver": "fake", "journal": "card.jsonl"}}
    with Cashier.open("sqlite:///shop.db", gateways=gateways) as cashier:
        cashier.issue(
            number="INV-2", customer="C-1", total=Money.of("USD", "30.00"), due="2026-12-01"
        )
        payment = cashier.collect("INV-2", via="card", method="tok_other_amount", key="k2")
        assert payment.needs_review

    assert shell("work", "--once", "--app", factory).code == 0
    failed = shell("work", "--once", "--app", factory, "--fail-on", "review")

    assert failed.code == 1
    assert "1 under review" in failed.out


def test_a_file_of_settings_is_enough(imported: Run) -> None:
    done = imported("work", "--once", "--gateways", "gateways.toml", "--json")

    assert done.code == 0
    assert done.json["done"]["jobs"]["read-feed"] == 1


def test_a_terminal_shows_a_line_that_is_redrawn(doubtful: Path) -> None:
    (doubtful / "go").touch()
    ours, terminal = os.openpty()
    program = Path(sys.executable).with_name("paygate")
    done = subprocess.run(
        [program, "work", "--once", "--app", "shop:cashier"],
        stdout=subprocess.PIPE,
        stderr=terminal,
        timeout=PATIENCE_S,
        check=True,
    )
    os.close(terminal)
    shown = b""
    with suppress(OSError):  # the end of what a terminal shows
        while more := os.read(ours, 65_536):
            shown += more
    os.close(ours)

    assert b"working, 8 jobs at once" in shown
    assert b"\r\x1b[K" in shown
    assert b"1 inquire" in done.stdout


def test_an_unknown_cause_to_fail_is_refused(doubtful: Path, shell: Run) -> None:
    refused = shell("work", "--once", "--app", "shop:cashier", "--fail-on", "rain")

    assert refused.code == 2
    assert "--fail-on must be one of failed, unanswered, review" in refused.err
