"""Payment terminals: networks of kiosks that ask, take cash, and report it."""

from paygate.drivers.terminal.gateway import Terminal
from paygate.drivers.terminal.settings import TerminalSettings

__all__ = ["Terminal", "TerminalSettings"]
