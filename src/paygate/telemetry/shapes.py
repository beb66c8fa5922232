"""Shapes: which spans and metrics there are, and their attributes.

Names follow the semantic conventions of OpenTelemetry where these have one: HTTP client spans
(``http.*``, ``server.*``), messaging (``messaging.*``) and ``error.type``. All others begin with
``paygate.``. Two things of the conventions are left out on purpose: ``url.full``, because a URL
contains ids of payments and customers, and the propagation of the context to processors, to whom
our traces are of no concern.

The values of each attribute are few: they are chosen by the host (names of accounts, sinks and
tenants), by paygate (verbs, operations, outcomes) or by a driver's code (the names of its steps).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping


class Attribute(StrEnum):
    """The attributes of spans and metrics."""

    VERB = "paygate.verb"
    """The name of the verb, such as ``collect``."""
    TENANT = "paygate.tenant"
    """The tenant whose books it is about; only on spans."""
    ACCOUNT = "paygate.account"
    """The name of the gateway account."""
    SINK = "paygate.sink"
    """The name of the sink or subscriber."""
    OPERATION = "paygate.operation"
    """What the gateway is asked to do, such as ``charge`` or ``look_up``."""
    STEP = "paygate.step"
    """The driver's name of a request, such as ``confirm``; only on spans."""
    JOB = "paygate.job"
    """The kind of the job, such as ``inquire``."""
    UNIT = "paygate.unit"
    """``read`` or ``write``."""
    OUTCOME = "paygate.outcome"
    """How it ended, in a word."""
    ERROR = "error.type"
    """The class of the error, the kind of the fault, or the status of a response."""
    METHOD = "http.request.method"
    """The method of the request."""
    RESENT = "http.request.resend_count"
    """How often the request had been sent before; only on spans."""
    STATUS = "http.response.status_code"
    """The status of the response, if one was received."""
    ADDRESS = "server.address"
    """The host name of the processor."""
    PORT = "server.port"
    """Its port."""
    SYSTEM = "messaging.system"
    """Always ``paygate``."""
    MESSAGING_NAME = "messaging.operation.name"
    """``process`` for a job, ``publish`` for events."""
    MESSAGING_TYPE = "messaging.operation.type"
    """``process`` for a job, ``send`` for events."""
    DESTINATION = "messaging.destination.name"
    """The kind of the job, or the name of the sink."""
    MESSAGES = "messaging.batch.message_count"
    """How many events were delivered."""


Facts: TypeAlias = "Mapping[Attribute, str | int]"
"""What is known of something that is recorded."""


class Shape(StrEnum):
    """The kinds of spans."""

    VERB = "verb"
    CALL = "call"
    EXCHANGE = "exchange"
    JOB = "job"
    PUBLISH = "publish"


class Metric(StrEnum):
    """The metrics."""

    VERBS = "paygate.verb.duration"
    CALLS = "paygate.call.duration"
    EXCHANGES = "paygate.exchange.duration"
    UNITS = "paygate.unit.duration"
    JOBS = "paygate.job.duration"
    DELAYS = "paygate.job.delay"
    RUNNING = "paygate.worker.running"
    UNSERVED = "paygate.worker.unserved"
    EVENTS = "paygate.events"
    CALLBACKS = "paygate.callbacks"


class Instrument(StrEnum):
    """The kinds of instruments."""

    HISTOGRAM = "histogram"
    COUNTER = "counter"
    UP_DOWN_COUNTER = "up-down counter"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class MetricShape:
    """A metric: its instrument, its unit, what it measures, and the attributes that it may have."""

    instrument: Instrument
    unit: str
    meaning: str
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """
    A kind of span: how its name is made of attributes, its kind, and the attributes it may have.

    `always` are attributes with one value, and `metric` measures how long it took.
    """

    name: tuple[Attribute | str, ...]
    kind: str
    attributes: tuple[Attribute, ...]
    metric: Metric | None
    always: Mapping[Attribute, str]


_A = Attribute
_NOTHING: Final[Mapping[Attribute, str]] = MappingProxyType({})

METRICS: Final[Mapping[Metric, MetricShape]] = MappingProxyType(
    {
        Metric.VERBS: MetricShape(
            Instrument.HISTOGRAM,
            "s",
            "How long a verb takes.",
            (_A.VERB, _A.OUTCOME, _A.ERROR),
        ),
        Metric.CALLS: MetricShape(
            Instrument.HISTOGRAM,
            "s",
            "How long a conversation with a gateway takes, with all its requests.",
            (_A.ACCOUNT, _A.OPERATION, _A.OUTCOME, _A.ERROR),
        ),
        Metric.EXCHANGES: MetricShape(
            Instrument.HISTOGRAM,
            "s",
            "How long one request over HTTP takes; one that is sent again counts again.",
            (_A.ACCOUNT, _A.SINK, _A.METHOD, _A.ADDRESS, _A.PORT, _A.STATUS, _A.ERROR),
        ),
        Metric.UNITS: MetricShape(
            Instrument.HISTOGRAM,
            "s",
            "How long a transaction of the ledger takes, with the time it waits for others.",
            (_A.UNIT, _A.ERROR),
        ),
        Metric.JOBS: MetricShape(
            Instrument.HISTOGRAM,
            "s",
            "How long a job of due work takes, whoever does it.",
            (_A.JOB, _A.ACCOUNT, _A.SINK, _A.OUTCOME, _A.ERROR),
        ),
        Metric.DELAYS: MetricShape(
            Instrument.HISTOGRAM,
            "s",
            "How long a job was due before a worker began it.",
            (_A.JOB,),
        ),
        Metric.RUNNING: MetricShape(
            Instrument.UP_DOWN_COUNTER,
            "{job}",
            "How many jobs a worker is doing.",
            (_A.JOB,),
        ),
        Metric.UNSERVED: MetricShape(
            Instrument.GAUGE,
            "{job}",
            "How many jobs wait for an account that a worker lacks, or cannot use.",
            (_A.ACCOUNT,),
        ),
        Metric.EVENTS: MetricShape(
            Instrument.COUNTER,
            "{event}",
            "How many events were delivered, delayed, or given up.",
            (_A.SINK, _A.OUTCOME),
        ),
        Metric.CALLBACKS: MetricShape(
            Instrument.COUNTER,
            "{callback}",
            "How many callbacks were accepted or refused.",
            (_A.ACCOUNT, _A.OUTCOME, _A.ERROR),
        ),
    }
)
"""The metrics. A metric has an attribute only if it applies."""

SPANS: Final[Mapping[Shape, Span]] = MappingProxyType(
    {
        Shape.VERB: Span(
            ("paygate", _A.VERB),
            "internal",
            (_A.VERB, _A.TENANT, _A.OUTCOME, _A.ERROR),
            Metric.VERBS,
            _NOTHING,
        ),
        Shape.CALL: Span(
            (_A.OPERATION, _A.ACCOUNT),
            "internal",
            (_A.ACCOUNT, _A.OPERATION, _A.OUTCOME, _A.ERROR),
            Metric.CALLS,
            _NOTHING,
        ),
        Shape.EXCHANGE: Span(
            (_A.METHOD,),
            "client",
            (
                *(_A.METHOD, _A.ADDRESS, _A.PORT, _A.STATUS, _A.RESENT),
                *(_A.ACCOUNT, _A.SINK, _A.STEP, _A.ERROR),
            ),
            Metric.EXCHANGES,
            _NOTHING,
        ),
        Shape.JOB: Span(
            ("process", _A.DESTINATION),
            "consumer",
            (
                *(_A.SYSTEM, _A.MESSAGING_NAME, _A.MESSAGING_TYPE, _A.DESTINATION),
                *(_A.JOB, _A.ACCOUNT, _A.SINK, _A.OUTCOME, _A.ERROR),
            ),
            Metric.JOBS,
            MappingProxyType(
                {_A.SYSTEM: "paygate", _A.MESSAGING_NAME: "process", _A.MESSAGING_TYPE: "process"}
            ),
        ),
        Shape.PUBLISH: Span(
            ("publish", _A.DESTINATION),
            "producer",
            (
                *(_A.SYSTEM, _A.MESSAGING_NAME, _A.MESSAGING_TYPE, _A.DESTINATION, _A.MESSAGES),
                *(_A.SINK, _A.OUTCOME, _A.ERROR),
            ),
            None,
            MappingProxyType(
                {_A.SYSTEM: "paygate", _A.MESSAGING_NAME: "publish", _A.MESSAGING_TYPE: "send"}
            ),
        ),
    }
)
"""The spans: a verb contains calls and jobs, a call exchanges, and a job calls or publishing."""
