"""Readers of bank statements: bytes in, entries out; nothing is written or sent."""

from paygate.statements.reading import FORMAT_OF_NAMES, format_of, read_statement
from paygate.statements.table import ColumnMap

__all__ = ["FORMAT_OF_NAMES", "ColumnMap", "format_of", "read_statement"]
