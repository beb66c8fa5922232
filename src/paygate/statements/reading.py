"""Reading a statement of any format; the format is recognized by the first bytes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO, Final

from paygate.domain.bank_statement import StatementFormat
from paygate.errors import InvalidValue
from paygate.statements.bai2 import read_bai2
from paygate.statements.camt import read_camt
from paygate.statements.mt940 import read_mt940
from paygate.statements.ofx import read_ofx
from paygate.statements.refusing import unreadable
from paygate.statements.table import ColumnMap, read_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paygate.domain.bank_statement import StatementPart

BYTES_MAX: Final = 512_000_000
"""The most bytes of a file."""
_HEAD: Final = 4096
_OFX: Final = re.compile(rb"OFXHEADER|<OFX>|<\?OFX", re.IGNORECASE)

FORMAT_OF_NAMES: Final = "camt (XML), mt940, bai2, ofx, or csv with a column map"
"""The formats, as messages name them."""


def format_of(source: BinaryIO) -> str:
    """Return ``camt``, ``mt940``, ``bai2`` or ``ofx``, or an empty text for any other format."""
    source.seek(0)
    head = source.read(_HEAD).removeprefix(b"\xef\xbb\xbf").lstrip()
    source.seek(0)
    if _OFX.search(head):
        return "ofx"
    if head.startswith((b"<", b"\xff\xfe", b"\xfe\xff")):
        return "camt"
    if head.startswith(b"01,"):
        return "bai2"
    if head.startswith((b":20:", b"{1:")):
        return "mt940"
    return ""


def read_statement(
    source: BinaryIO, *, columns: ColumnMap | None = None, encoding: str = "utf-8"
) -> Iterator[StatementPart]:
    """
    Yield the statements of a file, whose format is recognized; with *columns* it is a table.

    *source* must be seekable. Raises `ImportRejected`, with the line and the reason, for a file
    that cannot be read; entries that were yielded before that must not be used.
    """
    size = source.seek(0, 2)
    source.seek(0)
    if size > BYTES_MAX:
        raise unreadable(1, f"the file has {size:,} bytes; at most {BYTES_MAX:,} are read")
    if columns is not None:
        return read_table(source, columns)
    match format_of(source):
        case "camt":
            return read_camt(source)
        case "mt940":
            return read_mt940(source, encoding)
        case "bai2":
            return read_bai2(source, encoding)
        case "ofx":
            return read_ofx(source, encoding)
        case _:
            raise InvalidValue(
                f"this is not a statement in a known format; known are {FORMAT_OF_NAMES}",
                argument="content",
            )


__all__ = ["FORMAT_OF_NAMES", "StatementFormat", "format_of", "read_statement"]
