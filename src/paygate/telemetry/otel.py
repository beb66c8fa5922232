"""The recorder that uses the API of OpenTelemetry; imported only if that is installed.

The host's SDK decides what becomes of spans and metrics; without one, the API does nothing. No
exception is recorded with a span, because its text may contain a secret.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context, metrics, trace

from paygate._version import __version__
from paygate.telemetry.shapes import METRICS, SPANS, Attribute, Instrument, Metric, Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.telemetry.shapes import Facts, MetricShape, Span

_NAME: Final = "paygate"
_KINDS: Final = {
    "internal": trace.SpanKind.INTERNAL,
    "client": trace.SpanKind.CLIENT,
    "consumer": trace.SpanKind.CONSUMER,
    "producer": trace.SpanKind.PRODUCER,
}
_SECONDS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0),
)
"""The bounds of the histograms, from a look at the ledger to a gateway that hangs."""

# An instrumentation of httpx would send our context to the processor. It looks for this key, which
# the API offers only to instrumentations.
_NO_HTTP: Final = str(getattr(context, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", "")) or None


class OtelRecorder:
    """Records with the providers of the API: by default those that the host has set."""

    def __init__(
        self,
        tracers: trace.TracerProvider | None = None,
        meters: metrics.MeterProvider | None = None,
    ) -> None:
        self._tracer = trace.get_tracer(_NAME, __version__, tracers)
        meter = metrics.get_meter(_NAME, __version__, meters)
        self._instruments = {name: _made(meter, name, of) for name, of in METRICS.items()}

    def begin(self, shape: Shape, facts: Facts, *, silent: bool = False) -> _Open:
        """Begin a span of *shape*, and make it the current one."""
        of = SPANS[shape]
        instrument = None if of.metric is None else self._instruments[of.metric]
        return _Open(self._tracer, shape, of, facts, instrument, silent=silent)

    def add(self, metric: Metric, amount: int, facts: Facts) -> None:
        """Add to a counter."""
        self._instruments[metric].add(amount, _chosen(facts, METRICS[metric].attributes))

    def measure(self, metric: Metric, value: float, facts: Facts) -> None:
        """Record a value of a histogram, or set a gauge."""
        instrument: Any = self._instruments[metric]
        known = _chosen(facts, METRICS[metric].attributes)
        if METRICS[metric].instrument is Instrument.GAUGE:
            instrument.set(value, known)
        else:
            instrument.record(value, known)


class _Open:
    """A span that has begun, and the time at which it did."""

    def __init__(
        self,
        tracer: trace.Tracer,
        shape: Shape,
        of: Span,
        facts: Facts,
        instrument: Any,
        *,
        silent: bool,
    ) -> None:
        self._of, self._facts, self._instrument = of, facts, instrument
        self._span: trace.Span | None = None
        self._token: Any = None
        if not silent:
            known = {**of.always, **facts}
            self._span = tracer.start_span(
                " ".join(_said(known, each) for each in of.name),
                kind=_KINDS[of.kind],
                attributes=_chosen(known, of.attributes),
            )
            within = trace.set_span_in_context(self._span)
            if shape is Shape.EXCHANGE and _NO_HTTP is not None:
                within = context.set_value(_NO_HTTP, True, within)  # noqa: FBT003  (of the API)
            self._token = context.attach(within)
        self._began = perf_counter()

    def end(self, facts: Facts, *, failed: bool = False) -> None:
        """End the span and record how long it took."""
        took = perf_counter() - self._began
        try:
            if self._instrument is not None and self._of.metric is not None:
                shape = METRICS[self._of.metric]
                known = _chosen({**self._facts, **facts}, shape.attributes)
                self._instrument.record(took, known)
        finally:
            if self._span is not None:
                # First of all: what follows is not part of this span, whatever the rest raises.
                context.detach(self._token)
                self._span.set_attributes(_chosen(facts, self._of.attributes))
                if failed:
                    self._span.set_status(trace.StatusCode.ERROR)
                self._span.end()


def _said(facts: Mapping[Attribute, str | int], part: Attribute | str) -> str:
    """Return a part of the name of a span."""
    return str(facts.get(part, "")) if isinstance(part, Attribute) else part


def _chosen(facts: Mapping[Attribute, str | int], of: tuple[Attribute, ...]) -> dict[str, Any]:
    """Return the *facts* that something has as attributes; empty ones do not apply."""
    return {name.value: facts[name] for name in of if facts.get(name, "") != ""}


def _made(meter: metrics.Meter, name: Metric, of: MetricShape) -> Any:
    match of.instrument:
        case Instrument.HISTOGRAM:
            return meter.create_histogram(
                name.value, of.unit, of.meaning, explicit_bucket_boundaries_advisory=_SECONDS
            )
        case Instrument.COUNTER:
            return meter.create_counter(name.value, of.unit, of.meaning)
        case Instrument.UP_DOWN_COUNTER:
            return meter.create_up_down_counter(name.value, of.unit, of.meaning)
        case Instrument.GAUGE:
            return meter.create_gauge(name.value, of.unit, of.meaning)
