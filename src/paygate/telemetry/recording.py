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
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from paygate import logs
from paygate.errors import AccountsUnavailable, GatewayNotFound, RecordNotFound
from paygate.telemetry.guarding import Guarded
from paygate.telemetry.shapes import Attribute, Metric, Shape

if TYPE_CHECKING:
    from collections.abc import Generator

    from paygate.telemetry.guarding import Recorded, Recorder
    from paygate.telemetry.shapes import Facts


_PACKAGE: Final = "opentelemetry-api"
_OLDEST: Final = (1, 30)
_LOGGER: Final = "paygate.telemetry"

_NOT_FOUND: Final = (GatewayNotFound, RecordNotFound, AccountsUnavailable)
"""The errors of a verb after which its tenant may not exist: `TenantNotFound` is one of them."""

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
    # Importing it takes as long as a sixth of the rest of paygate.
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version(_PACKAGE)
    except PackageNotFoundError:
        return None
    if _numbers(found) < _OLDEST:
        text = f"{_PACKAGE} {found} is too old, so nothing is recorded; install 1.30 or newer"
        logs.write(_LOGGER, "telemetry.off", text, logs.NOTHING)
        return None
    from paygate.telemetry.otel import OtelRecorder

    return Guarded(OtelRecorder())


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
    """
    Record a verb, and what happens inside the block as part of it.

    The tenant is not recorded if something was not found: then its name may be anybody's text,
    because a callback names it in its path.
    """
    ending, before = Ending(), _acting.set(acting)
    ending.facts[Attribute.TENANT] = tenant
    try:
        facts: Facts = {Attribute.VERB: name}
        with _recorded(acting, Shape.VERB, facts, ending, silent=_silent.get()):
            try:
                yield ending
            except _NOT_FOUND:
                del ending.facts[Attribute.TENANT]
                raise
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


def failed(acting: Recorder | None, name: str, error: BaseException) -> None:
    """Record a verb that raised before it began, because its accounts cannot be looked up."""
    if acting is not None:
        facts: Facts = {Attribute.VERB: name}
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
