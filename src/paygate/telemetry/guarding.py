"""Guarding: a recorder that fails never changes what is recorded.

The providers belong to the host, and so do their samplers, processors and exporters. What they
raise must not end a verb between the response of a gateway and the transaction that books it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from paygate import logs

if TYPE_CHECKING:
    from paygate.telemetry.shapes import Facts, Metric, Shape

_LOGGER: Final = "paygate.telemetry"


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


class Guarded:
    """A recorder whose failures are logged once, and otherwise ignored."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder, self._failed = recorder, False

    def begin(self, shape: Shape, facts: Facts, *, silent: bool = False) -> Recorded:
        """Begin a span; if that fails, return one that is not recorded."""
        try:
            return _GuardedSpan(self._recorder.begin(shape, facts, silent=silent), self)
        except Exception as error:  # noqa: BLE001  (of the host's providers)
            self.note(error)
            return _NOT_RECORDED

    def add(self, metric: Metric, amount: int, facts: Facts) -> None:
        """Add to a counter."""
        try:
            self._recorder.add(metric, amount, facts)
        except Exception as error:  # noqa: BLE001
            self.note(error)

    def measure(self, metric: Metric, value: float, facts: Facts) -> None:
        """Record a value of a histogram or a gauge."""
        try:
            self._recorder.measure(metric, value, facts)
        except Exception as error:  # noqa: BLE001
            self.note(error)

    def note(self, error: Exception) -> None:
        """Log the first *error*, by its class: its text is somebody else's."""
        if not self._failed:
            self._failed = True
            text = f"a provider of OpenTelemetry raised {type(error).__name__}; spans are missing"
            logs.write(_LOGGER, "telemetry.fault", text, logs.NOTHING)


class _GuardedSpan:
    def __init__(self, recorded: Recorded, of: Guarded) -> None:
        self._recorded, self._of = recorded, of

    def end(self, facts: Facts, *, failed: bool = False) -> None:
        """End it."""
        try:
            self._recorded.end(facts, failed=failed)
        except Exception as error:  # noqa: BLE001
            self._of.note(error)


class _NotRecorded:
    def end(self, facts: Facts, *, failed: bool = False) -> None:
        """Do nothing."""


_NOT_RECORDED: Final = _NotRecorded()
