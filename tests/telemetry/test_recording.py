"""When something is recorded, and what it contains; and that no processor hears of it."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from paygate import AsyncCashier, Cashier, Delivery, Money, SinkTraits, telemetry
from paygate.dialogue import Dialogue, Request
from paygate.telemetry import recording
from paygate.telemetry.otel import OtelRecorder
from paygate.testing import FakeClock, FakeGateway
from paygate.transport.stock import AsyncStockPool, StockPool
from paygate.worker import Worker
from tests.telemetry.business import LOST, AnyFace, done
from tests.telemetry.listening import Listener

USD = Money.of("USD", "30.00")


@pytest.mark.parametrize("face", [Cashier, AsyncCashier])
async def test_a_span_contains_what_happens_meanwhile(face: AnyFace, listener: Listener) -> None:
    clock = FakeClock()
    cashier: Any = face.in_memory(gateways={"card": FakeGateway(clock=clock)}, clock=clock)
    await done(cashier.issue(number="A", customer="C", total=USD, due="2026-12-01"))
    await done(cashier.collect("A", via="card", method=LOST, key="k"))
    clock.advance(minutes=2)

    await done(cashier.subscribe("crm", lambda _: None))
    await Worker(cashier, jobs=1).run(once=True)
    await (cashier.aclose() if isinstance(cashier, AsyncCashier) else done(cashier.close()))

    tree = listener.tree()
    assert ("paygate collect", [("charge card", [])]) in tree
    assert ("paygate work", [("process inquire", [("look_up card", [])])]) in tree
    assert ("paygate work", [("process publish", [("publish crm", [])])]) in tree
    assert "paygate take_due" not in dict(tree)  # a look a second would hide all others
    assert "take_due" in listener.metrics()["paygate.verb.duration"].values["paygate.verb"]


@pytest.mark.parametrize("face", [Cashier, AsyncCashier])
async def test_a_span_of_a_verb_is_part_of_what_the_host_does(
    face: AnyFace, listener: Listener
) -> None:
    cashier: Any = face.in_memory()

    with TracerProvider().get_tracer("host").start_as_current_span("checkout") as span:
        await done(cashier.payments())
        after = trace.get_current_span()
    await (cashier.aclose() if isinstance(cashier, AsyncCashier) else done(cashier.close()))

    [ours] = [each for each in listener.spans() if each.name == "paygate payments"]
    assert ours.parent.span_id == span.get_span_context().span_id
    assert after is span


def test_nothing_is_imported_and_nothing_recorded_without_the_package() -> None:
    """A process in which the package is not installed."""
    program = """
import importlib.metadata, sys
sys.modules["opentelemetry"] = None
from paygate import Cashier, Money
from paygate.testing import FakeGateway
with Cashier.in_memory(gateways={"card": FakeGateway()}) as cashier:
    cashier.issue(number="A", customer="C", total=Money.of("USD", "1"), due="2026-12-01")
    print(cashier.collect("A", via="card", method="tok_visa", key="k").status)
print([each for each in sys.modules if each.startswith(("opentelemetry.", "paygate.telemetry.o"))])
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == ["succeeded", "[]"]


def test_a_package_that_is_too_old_is_left_alone_and_said_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: "1.9.2")
    recording.recorder.cache_clear()
    try:
        with caplog.at_level(logging.WARNING, "paygate"):
            assert telemetry.recorder() is None
            assert telemetry.recorder() is None
    finally:
        recording.recorder.cache_clear()

    [line] = [each for each in caplog.records if each.message.startswith("telemetry.off")]
    assert "opentelemetry-api 1.9.2 is too old" in line.message


class Failing(SpanProcessor):
    """A processor of the host's that raises whenever it is called."""

    def on_start(self, *_: object, **__: object) -> None:
        raise OSError("the disk is full: hunter2")

    def on_end(self, *_: object) -> None:
        raise OSError("the disk is full: hunter2")


class FailingAtTheEnd(Failing):
    """One that raises when a span ends: when a gateway has charged a card, for example."""

    def on_start(self, *_: object, **__: object) -> None:
        """Do nothing."""


@pytest.mark.parametrize("failing", [Failing, FailingAtTheEnd])
@pytest.mark.parametrize("face", [Cashier, AsyncCashier])
async def test_a_provider_that_fails_changes_nothing_of_a_payment(
    face: AnyFace,
    failing: type[Failing],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    provider = TracerProvider()
    provider.add_span_processor(failing())
    trace_before = trace.get_current_span()
    recorder = telemetry.Guarded(OtelRecorder(provider, _FailingMeters()))
    monkeypatch.setattr(telemetry, "recorder", lambda: recorder)

    with caplog.at_level(logging.WARNING, "paygate"):
        cashier: Any = face.in_memory(gateways={"card": FakeGateway()})
        await done(cashier.subscribe("crm", lambda _: None))
        await done(cashier.issue(number="A", customer="C", total=USD, due="2026-12-01"))
        payment = await done(cashier.collect("A", via="card", method="tok_visa", key="k"))
        delivered = (await done(cashier.publish())).delivered
        await Worker(cashier).run(once=True)
        await (cashier.aclose() if isinstance(cashier, AsyncCashier) else done(cashier.close()))

    assert payment.status == "succeeded"
    assert delivered > 0
    assert trace.get_current_span() is trace_before
    lines = [each.getMessage() for each in caplog.records]
    [line] = [each for each in lines if each.startswith("telemetry.fault")]
    assert "a provider of OpenTelemetry raised OSError" in line
    assert "hunter2" not in "".join(lines)


class _FailingMeters(NoOpMeterProvider):
    """Meters whose instruments raise."""

    def get_meter(self, *_: Any, **__: Any) -> Any:
        instrument = failing_instruments()
        return SimpleNamespace(
            create_histogram=instrument,
            create_counter=instrument,
            create_up_down_counter=instrument,
            create_gauge=instrument,
        )


def failing_instruments() -> Any:
    def fail(*_: object) -> None:
        raise OSError("no room for another series")

    return lambda *_, **__: SimpleNamespace(record=fail, add=fail, set=fail)


# --- What leaves the process ----------------------------------------------------------------------


class _Recorded(ThreadingHTTPServer):
    heard: list[dict[str, str]]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        server.heard.append({name.lower(): text for name, text in self.headers.items()})
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def processor() -> Generator[_Recorded]:
    """A processor that notes the headers of what it gets."""
    server = _Recorded(("127.0.0.1", 0), _Handler)
    server.heard = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Tells:
    """A sink over HTTP; its requests take the way of those to processors."""

    traits = SinkTraits()

    def __init__(self, url: str) -> None:
        self._url = url

    def deliver(self, delivery: Delivery) -> Dialogue[None]:
        yield Request(method="POST", url=self._url, step="tell", body=delivery.event.id.encode())


@pytest.mark.parametrize("way", ["ours", "ours, httpx is instrumented", "instrumented httpx"])
@pytest.mark.parametrize("face", [Cashier, AsyncCashier])
async def test_no_trace_is_sent_to_a_processor(
    face: AnyFace, listener: Listener, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    instrumented = way != "ours"
    if way == "instrumented httpx":  # as while a test has replaced its handler
        for pool in (StockPool, AsyncStockPool):
            monkeypatch.setattr(pool, "wanted", staticmethod(lambda: True))
    with processor() as server:
        instrumentor: Any = HTTPXClientInstrumentor()
        if instrumented:
            instrumentor.instrument(tracer_provider=TracerProvider())
        try:
            url = f"http://127.0.0.1:{server.server_address[1]}/"
            cashier: Any = face.in_memory(sinks={"crm": Tells(url)})
            await done(cashier.issue(number="A", customer="C", total=USD, due="2026-12-01"))
            assert (await done(cashier.publish())).delivered == 1
            await (cashier.aclose() if isinstance(cashier, AsyncCashier) else done(cashier.close()))
        finally:
            if instrumented:
                instrumentor.uninstrument()

    [headers] = server.heard
    assert headers.keys().isdisjoint({"traceparent", "tracestate", "baggage"})
    assert [each.name for each in listener.spans() if each.name == "POST"] == ["POST"]


def test_the_worker_of_a_shell_exports_if_its_application_sets_a_provider(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        """
from opentelemetry import trace
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from paygate import Cashier
from paygate.testing import FakeGateway

def cashier():
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(
        formatter=lambda span: span.to_json(indent=None) + "\\n"
    )))
    trace.set_tracer_provider(provider)
    return Cashier.open("sqlite:///shop.db", gateways={"card": FakeGateway()})
"""
    )
    program = Path(sys.executable).with_name("paygate")
    done = subprocess.run(
        [program, "work", "--once", "--app", "shop:cashier", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONUTF8": "1"},
    )

    lines = [json.loads(each) for each in done.stdout.splitlines() if each.startswith('{"name"')]
    assert [each["name"] for each in lines] == ["feed card", "process read-feed", "paygate work"]
    assert [each["parent_id"] for each in lines[:2]] == [
        each["context"]["span_id"] for each in lines[1:]
    ]
