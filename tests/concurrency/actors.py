"""What processes of their own do in these tests, and how they are started and ended."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from paygate import Cashier, Kind, PaygateError
from paygate.errors import Refused
from paygate.gateway import Callback
from paygate.service.account import Timing
from paygate.service.flow import Exchange, Step
from paygate.testing import LoopbackGateway, WallClock
from tests.reading import every

PATIENCE_S = 60.0
"""How long a test waits for another process before it fails; never reached when all is well."""


def context() -> ForkServerContext:
    """
    Make processes from a server that has paygate loaded, each in milliseconds.

    They share no memory, connection or lock with the process of the tests.
    """
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload([__name__, "paygate.transport.http", "paygate.testing.loopback"])
    return found


# --- The processor -----------------------------------------------------------------------------


@dataclass
class ProcessorProcess:
    """The fake processor in a process of its own, its journal on disk; it can be killed."""

    journal: Path
    url: str = ""
    options: tuple[str, ...] = ()
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list[subprocess.Popen[bytes]])

    def start(self) -> None:
        """Start it; after a kill it goes on from its journal, at the same address."""
        command = [sys.executable, "-m", "paygate.testing.fake_server", "--parent"]
        command += ["--journal", str(self.journal), *self.options]
        if self.url:
            command += ["--port", self.url.rpartition(":")[2]]
        running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._running.append(running)
        assert running.stdout is not None
        self.url = json.loads(running.stdout.readline())["url"]

    def kill(self) -> None:
        """End it as a loss of power would."""
        while self._running:
            running = self._running.pop()
            running.kill()
            running.wait()
            for pipe in (running.stdin, running.stdout):
                if pipe is not None:
                    pipe.close()


@contextmanager
def processor(journal: Path, *options: str) -> Iterator[ProcessorProcess]:
    running = ProcessorProcess(journal, options=options)
    running.start()
    try:
        yield running
    finally:
        running.kill()


# --- Cashiers ------------------------------------------------------------------------------------


def open_cashier(ledger: Path, url: str, face: type[Cashier] = Cashier, **more: Any) -> Cashier:
    """Open a ledger with a card account, and one for pages, at the processor at *url*."""
    gateways = {
        "card": LoopbackGateway(Kind.CARD, url=url),
        "page": LoopbackGateway(Kind.REDIRECT, url=url),
    }
    # One feed tells of both accounts, which no real processor's does.
    more.setdefault("timing", Timing(feed_pause=None))
    return face.open(f"sqlite:///{ledger}", gateways=gateways, **more)


def pay_at_once(
    ledger: Path, url: str, number: str, key: str, together: Barrier, told: Connection
) -> None:
    """Pay an invoice when everybody is ready; tell the payment's status and id, or the refusal."""
    with open_cashier(ledger, url) as cashier:
        together.wait(PATIENCE_S)
        try:
            payment = cashier.collect(number, via="card", method="tok_visa", key=key)
        except PaygateError as refusal:
            told.send((type(refusal).__name__, ""))
        else:
            told.send((payment.status.value, payment.id))
    told.close()


def do_at_once(
    ledger: Path,
    url: str,
    asked: tuple[str, str, dict[str, Any]],
    together: Barrier,
    told: Connection,
) -> None:
    """Ask for a verb of a payment when everybody is ready; tell "done", or the refusal."""
    verb, payment, more = asked
    with open_cashier(ledger, url) as cashier:
        together.wait(PATIENCE_S)
        try:
            getattr(cashier, verb)(payment, **more)
        except Refused as refusal:
            told.send(type(refusal).__name__)
        else:
            told.send("done")
    told.close()


class Holding(Cashier):
    """A cashier that has an answer in hand, and waits for the others before it is merged."""

    together: Barrier

    def _do(self, step: Step) -> Any:
        answer = super()._do(step)
        if isinstance(step, Exchange):
            self.together.wait(PATIENCE_S)
        return answer


def pay_and_hold(
    ledger: Path, url: str, number: str, token: str, holds: Barrier, told: Connection
) -> None:
    """Pay an invoice, and merge the answer when the others are ready; tell the status."""
    with open_cashier(ledger, url, Holding) as cashier:
        assert isinstance(cashier, Holding)
        cashier.together = holds
        payment = cashier.collect(number, via="card", method=token, key=f"pay-{number}")
        told.send((payment.status.value, payment.id))
    told.close()


def hear_and_apply(ledger: Path, url: str, number: str, holds: Barrier, told: Connection) -> None:
    """Get the processor's callback about the customer of that name, and apply it together."""
    with open_cashier(ledger, url) as cashier:
        deadline = time.monotonic() + PATIENCE_S
        heard: list[Callback] = []
        while not heard:
            assert time.monotonic() < deadline, "the processor told nothing"
            ours = [
                attempt.id.encode()
                for payment in cashier.payments(customer=number)
                for attempt in cashier.attempts(payment)
            ]
            told_now = LoopbackGateway(Kind.CARD, url=url).callbacks()
            heard = [each for each in told_now if any(id_ in each.body for id_ in ours)]
        holds.wait(PATIENCE_S)
        for _ in range(2):  # webhooks come twice
            for callback in heard:
                cashier.receive("card", callback)
            cashier.apply_callbacks()
        told.send(("heard", str(len(heard))))
    told.close()


def hear_and_let_go(
    ledger: Path, url: str, number: str, hears: Barrier, holds: Barrier, told: Connection
) -> None:
    """Apply the callback, and only then let the answer be merged."""
    hear_and_apply(ledger, url, number, hears, told)
    holds.wait(PATIENCE_S)


class Telling(Cashier):
    """A cashier that writes one line before and one after each step."""

    line: int

    def _do(self, step: Step) -> Any:
        os.write(self.line, b".")
        try:
            return super()._do(step)
        finally:
            os.write(self.line, b".")


def collect_all(ledger: Path, url: str, told: Connection) -> None:
    """Collect every open invoice, as a host's nightly run does, telling each step."""
    with open_cashier(ledger, url, Telling) as cashier:
        assert isinstance(cashier, Telling)
        cashier.line = told.fileno()
        after = ""
        while page := cashier.invoices(after=after, limit=100):
            for invoice in page:
                # Where an earlier run was killed, the same call only tells how it stands.
                if invoice.open.minor:
                    cashier.collect(invoice, via="card", method="tok_visa", key=invoice.number)
            after = page[-1].id
    told.close()


def recover_all(ledger: Path, url: str) -> None:
    """Recover a month later, pay again what turned out to have failed, and end when all is paid."""
    clock = WallClock()
    with open_cashier(ledger, url, clock=clock) as cashier:
        for day in range(10):
            clock.advance(timedelta(days=1))
            while cashier.recover(limit=1_000):
                clock.advance(timedelta(hours=1))
            for invoice in every(cashier.invoices):
                if invoice.open.minor and not invoice.claimed.minor:
                    key = f"{invoice.number}-{day}"
                    cashier.collect(invoice, via="card", method="tok_visa", key=key)


def kill(process: BaseProcess) -> None:
    """Send SIGKILL, which no process can catch, and wait for the end; it may have come already."""
    process.kill()
    process.join()
