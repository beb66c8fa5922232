"""The fake gateway: a driver for the fake processor, in memory or over loopback."""

from paygate.testing.fake.gateway import FakeGateway, LoopbackGateway
from paygate.testing.fake.kiosk import FakeKiosk

__all__ = ["FakeGateway", "FakeKiosk", "LoopbackGateway"]
