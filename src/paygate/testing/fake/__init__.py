"""The fake gateway: a driver for the fake processor, in memory or over loopback."""

from paygate.testing.fake.gateway import FakeGateway, LoopbackGateway

__all__ = ["FakeGateway", "LoopbackGateway"]
