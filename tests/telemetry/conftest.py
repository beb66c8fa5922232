"""A listener for every cashier that a test opens."""

from __future__ import annotations

import pytest

from paygate import telemetry
from tests.telemetry.listening import Listener


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Listener:
    listener = Listener()
    monkeypatch.setattr(telemetry, "recorder", lambda: listener.recorder)
    return listener
