"""For test suites: a fake gateway with a clock, and the processor behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from paygate.testing.clock import FakeClock, ProcessorClock, WallClock
    from paygate.testing.fake import FakeGateway, FakeKiosk, LoopbackGateway
    from paygate.testing.processor import FakeProcessor
    from paygate.testing.processor.journal import Entry, read_journal
    from paygate.testing.processor.magic import MAGIC, Plan, Verdict, Wire
    from paygate.testing.processor.rails import Habits, fake_traits

__all__ = [
    "MAGIC",
    "Entry",
    "FakeClock",
    "FakeGateway",
    "FakeKiosk",
    "FakeProcessor",
    "Habits",
    "LoopbackGateway",
    "Plan",
    "ProcessorClock",
    "Verdict",
    "WallClock",
    "Wire",
    "fake_traits",
    "read_journal",
]

_HOMES: Final = {
    "MAGIC": "processor.magic",
    "ProcessorClock": "clock",
    "Entry": "processor.journal",
    "FakeClock": "clock",
    "FakeGateway": "fake",
    "FakeKiosk": "fake",
    "FakeProcessor": "processor",
    "Habits": "processor.rails",
    "LoopbackGateway": "fake",
    "Plan": "processor.magic",
    "Verdict": "processor.magic",
    "WallClock": "clock",
    "Wire": "processor.magic",
    "fake_traits": "processor.rails",
    "read_journal": "processor.journal",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        from importlib import import_module

        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{home}"), name)

    def __dir__() -> list[str]:
        return sorted([*globals(), *__all__])
