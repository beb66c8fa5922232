"""The worker as a process, where event loops have no signals, as on Windows."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from paygate import AsyncCashier
from paygate.testing import FakeGateway
from paygate.worker import Worker
from paygate.worker.process import run_process


def refuse(*_: Any) -> None:
    raise NotImplementedError


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_a_worker_whose_event_loop_has_none(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("add_signal_handler", "remove_signal_handler"):
        monkeypatch.setattr(asyncio.SelectorEventLoop, name, refuse)
    before = signal.getsignal(number)
    cashier = AsyncCashier.in_memory(gateways={"card": FakeGateway()})
    stopped: list[str] = []

    run_process(
        Worker(cashier),
        cashier,
        health=("127.0.0.1", 0),
        on_health=lambda _: os.kill(os.getpid(), number),
        on_stop=lambda: stopped.append("stopping"),
    )

    assert stopped == ["stopping"]
    assert signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler)
    signal.signal(number, before)
