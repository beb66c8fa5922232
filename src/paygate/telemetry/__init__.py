"""Telemetry: what paygate does, as spans and metrics of OpenTelemetry where its API is installed.

The package `opentelemetry-api` is the extra ``otel``. Without it nothing is recorded, and nothing
of this costs more than a look at a variable. Which library exports, and to where, is the host's
choice: it sets the providers of the API.

No attribute holds an id, an amount, a text of a processor, or anything secret; see `shapes`.
"""

from paygate.telemetry.guarding import Guarded, Recorded, Recorder
from paygate.telemetry.recording import (
    Ending,
    add,
    begin,
    failed,
    is_acting,
    measure,
    outcome_of,
    quietly,
    record,
    recorder,
    verb,
)
from paygate.telemetry.shapes import METRICS, SPANS, Attribute, Metric, Shape, Span

__all__ = [
    "METRICS",
    "SPANS",
    "Attribute",
    "Ending",
    "Guarded",
    "Metric",
    "Recorded",
    "Recorder",
    "Shape",
    "Span",
    "add",
    "begin",
    "failed",
    "is_acting",
    "measure",
    "outcome_of",
    "quietly",
    "record",
    "recorder",
    "verb",
]
