"""A host that listens: a recorder whose spans and metrics end in memory."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from paygate.telemetry.otel import OtelRecorder

OF_SDK = ("trace_id", "span_id", "parent_id", "start_time", "end_time")
KINDS = {1: "server", 0: "internal", 2: "client", 3: "producer", 4: "consumer"}


@dataclass(slots=True)
class Received:
    """A metric as it was received: its instrument with the unit, and the values of attributes."""

    instrument: str
    values: dict[str, set[str]] = field(default_factory=lambda: defaultdict[str, set[str]](set))


class Listener:
    """What an exporter in memory receives from one recorder."""

    def __init__(self) -> None:
        self._spans, self._metrics = InMemorySpanExporter(), InMemoryMetricReader()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.recorder = OtelRecorder(tracers, MeterProvider([self._metrics]))

    def spans(self) -> list[Any]:
        return sorted(self._spans.get_finished_spans(), key=lambda each: each.start_time or 0)

    def tree(self, parent: Any = None) -> list[Any]:
        """Return the names of spans, each with those that it contains."""
        wanted = None if parent is None else parent.context.span_id
        return [
            (span.name, self.tree(span))
            for span in self.spans()
            if (None if span.parent is None else span.parent.span_id) == wanted
        ]

    def metrics(self) -> dict[str, Received]:
        found: dict[str, Received] = {}
        data: Any = self._metrics.get_metrics_data()
        for scope in data.resource_metrics[0].scope_metrics:
            assert scope.scope.name == "paygate"
            for metric in scope.metrics:
                received = found.setdefault(metric.name, Received(_instrument(metric)))
                for point in metric.data.data_points:
                    for name, value in point.attributes.items():
                        received.values[name].add(str(value))
        return found

    def texts(self) -> list[str]:
        """Return every text that was received, wherever it is."""
        data: Any = self._metrics.get_metrics_data()
        received = [json.loads(each.to_json()) for each in self.spans()]
        return list(_texts([*received, json.loads(data.to_json())]))


def _texts(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for name, each in value.items():
                yield str(name)
                # Random ids and times of the SDK hold any digits by chance.
                yield from () if name in OF_SDK else _texts(each)
        case list():
            for each in value:
                yield from _texts(each)
        case str():
            yield value
        case _:
            return


def _instrument(metric: Any) -> str:
    kind = type(metric.data).__name__
    if kind == "Sum":
        kind = "counter" if metric.data.is_monotonic else "up-down counter"
    return f"{kind.lower()}, {metric.unit}"
