"""A day at the till, played against the fake processor: what ``paygate demo`` shows."""

from paygate.cli.demo.screen import play

__all__ = ["play"]
