"""Recording: how the rest of paygate says what it does, whether or not anybody listens.

A cashier acts for a recorder while it runs a verb: what happens meanwhile is recorded as part of
the verb. A flow that something else runs, such as the simulator, is not recorded.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Protocol

from paygate import logs
from paygate.telemetry.shapes import Attribute, Metric, Shape

if TYPE_CHECKING:
    from collections.abc import Generator

    from paygate.telemetry.shapes import Facts


class Recorded(Protocol):
    """Something that is being recorded."""

    def end(self, facts: Facts, *, failed: bool = False) -> None:
        """End it, with *facts* that were not known when it began."""
        ...


class Recorder(Protocol):
    """Records spans and metrics."""

    def begin(self, shape: Shape, facts: Facts, *, silent: bool = False) -> Recorded:
        """Begin a span, which contains what begins before it ends; *silent* has a metric only."""
        ...

    def add(self, metric: Metric, amount: int, facts: Facts) -> None:
        """Add to a counter."""
        ...

    def measure(self, metric: Metric, value: float, facts: Facts) -> None:
        """Record a value of a histogram or a gauge."""
        ...


_PACKAGE: Final = "opentelemetry-api"
_OLDEST: Final = (1, 30)
_LOGGER: Final = "paygate.telemetry"

_acting: Final[ContextVar[Recorder | None]] = ContextVar("paygate_recorder", default=None)
_silent: Final[ContextVar[bool]] = ContextVar("paygate_silent", default=False)


@cache
def recorder() -> Recorder | None:
    """
    Return the recorder of this process; None if the API of OpenTelemetry is not installed.

    Neither is it there if the API is too old: paygate must not fail because of a package that
    something else brought.
    """
    if find_spec("opentelemetry") is None:
        return None
    try:
        found = version(_PACKAGE)
    except PackageNotFoundError:
        return None
    if _numbers(found) < _OLDEST:
        text = f"{_PACKAGE} {found} is too old, so nothing is recorded; install 1.30 or newer"
        logs.write(_LOGGER, "telemetry.off", text, logs.NOTHING)
        return None
    from paygate.telemetry.otel import OtelRecorder

    return OtelRecorder()


def _numbers(version: str) -> tuple[int, ...]:
    """Return the first two numbers of a version."""
    return tuple(int(each) for each in re.findall(r"\d+", version)[:2])


@dataclass(slots=True)
class Ending:
    """What is known at the end: how it went, in a word, and what kind of error there was."""

    outcome: str = ""
    error: str = ""
    facts: dict[Attribute, str | int] = field(default_factory=dict[Attribute, "str | int"])

    def known(self) -> Facts:
        """Return all of it."""
        said = {Attribute.OUTCOME: self.outcome, Attribute.ERROR: self.error}
        return self.facts | {name: text for name, text in said.items() if text}


@contextmanager
def record(shape: Shape, facts: Facts) -> Generator[Ending]:
    """Record the block, if it is part of a verb that is recorded."""
    ending, acting = Ending(), _acting.get()
    if acting is None:
        yield ending
        return
    with _recorded(acting, shape, facts, ending, silent=False):
        yield ending


@contextmanager
def verb(acting: Recorder, name: str, tenant: str) -> Generator[Ending]:
    """Record a verb, and what happens inside the block as part of it."""
    facts = {Attribute.VERB: name, Attribute.TENANT: tenant}
    ending, before = Ending(), _acting.set(acting)
    try:
        known: Facts = {attribute: text for attribute, text in facts.items() if text}
        with _recorded(acting, Shape.VERB, known, ending, silent=_silent.get()):
            yield ending
    finally:
        _acting.reset(before)


@contextmanager
def _recorded(
    acting: Recorder, shape: Shape, facts: Facts, ending: Ending, *, silent: bool
) -> Generator[None]:
    begun = acting.begin(shape, facts, silent=silent)
    failed = True
    try:
        yield
        failed = False
    except BaseException as error:
        ending.error = ending.error or type(error).__name__
        raise
    finally:
        begun.end(ending.known(), failed=failed or bool(ending.error))


@contextmanager
def quietly() -> Generator[None]:
    """Let verbs in the block have no span: for a look at the ledger that never ends."""
    before = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(before)


def begin(shape: Shape, facts: Facts) -> Recorded | None:
    """Begin to record something that is not a block; None if nobody listens."""
    acting = _acting.get()
    return None if acting is None else acting.begin(shape, facts)


def add(metric: Metric, amount: int, facts: Facts) -> None:
    """Add to a counter, if somebody listens."""
    acting = _acting.get()
    if acting is not None and amount:
        acting.add(metric, amount, facts)


def measure(metric: Metric, value: float, facts: Facts) -> None:
    """Record a value, if somebody listens."""
    acting = _acting.get()
    if acting is not None:
        acting.measure(metric, value, facts)


def failed(acting: Recorder | None, name: str, tenant: str, error: BaseException) -> None:
    """Record a verb that raised before it began, because its accounts cannot be looked up."""
    if acting is not None:
        facts: Facts = {Attribute.VERB: name, Attribute.TENANT: tenant}
        begun = acting.begin(Shape.VERB, facts, silent=_silent.get())
        begun.end({Attribute.ERROR: type(error).__name__}, failed=True)


def is_acting() -> bool:
    """Return whether what happens now is recorded."""
    return _acting.get() is not None


def outcome_of(result: object) -> str:
    """Return the status or the state of what a verb returned, if it has one."""
    for name in ("status", "state"):
        found = getattr(result, name, None)
        if isinstance(found, StrEnum):
            return found.value
    return ""
