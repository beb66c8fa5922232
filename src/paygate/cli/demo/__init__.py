"""``paygate demo``: a day at the till, played against the fake processor."""

from paygate.cli.demo.command import demo

__all__ = ["demo"]
