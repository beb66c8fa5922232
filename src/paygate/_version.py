"""The version of paygate."""

__version__ = "0.1.0.dev0"
