"""The fake processor: its behavior, and its own truth of the money it moved."""

from paygate.testing.processor.processor import SIGNING_KEY, FakeProcessor

__all__ = ["SIGNING_KEY", "FakeProcessor"]
