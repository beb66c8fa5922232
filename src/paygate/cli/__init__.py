"""The command line, with the extra ``cli``."""

from paygate.cli.main import main

__all__ = ["main"]
