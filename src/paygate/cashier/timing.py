"""Timing: how long the units of work on the ledger take, as a metric."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from paygate.service.flow import Read, Write
from paygate.telemetry import Attribute, Metric

if TYPE_CHECKING:
    from paygate.service.flow import Step
    from paygate.telemetry import Recorder


class UnitTimes:
    """Observes the steps of one flow, and records how long each unit of work takes."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._began = 0.0

    def before(self, _: Step) -> None:
        """Note the time."""
        self._began = perf_counter()

    def after(self, step: Step, _: Any) -> None:
        """Record a unit that is done."""
        self._record(step, "")

    def failed(self, step: Step, error: BaseException) -> None:
        """Record a unit that failed."""
        self._record(step, type(error).__name__)

    def _record(self, step: Step, error: str) -> None:
        if isinstance(step, Read | Write):
            unit = "write" if isinstance(step, Write) else "read"
            facts = {Attribute.UNIT: unit, Attribute.ERROR: error}
            self._recorder.measure(Metric.UNITS, perf_counter() - self._began, facts)


def unit_times(recorder: Recorder | None) -> UnitTimes | None:
    """Return an observer for a flow; None if nobody listens."""
    return None if recorder is None else UnitTimes(recorder)
