"""Files: their content, and how to read it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from paygate.cashier.arguments.plain import refuse
from paygate.domain.text import encodable
from paygate.errors import InvalidValue

if TYPE_CHECKING:
    from typing import Final


_LENGTH_MAX: Final = 64 * 1024 * 1024


def content(value: object, name: str) -> bytes | str:
    """Return the content of a file, as bytes or as text."""
    if not isinstance(value, bytes | str):
        kind = type(value).__name__
        raise InvalidValue(
            f"{name} must be the content of a file, as bytes or text, not {kind}", argument=name
        )
    if len(value) > _LENGTH_MAX:
        wants = f"the content of a file, of at most {_LENGTH_MAX:,} bytes or characters"
        refuse(name, wants, len(value))
    return value


def delimiter(value: object, name: str) -> str:
    """Return the character that separates the columns of a CSV file."""
    fits = isinstance(value, str) and len(value) == 1 and (value == "\t" or value.isprintable())
    if not isinstance(value, str) or not fits or value in '" ' or value.isalnum():
        refuse(name, "one character, such as ';' or a tab", value)
    return value


def encoding(value: object, name: str) -> str:
    """Return the name of a text encoding."""
    if isinstance(value, str) and "\0" not in value and encodable(value):
        # LookupError: the name is not known, or not of a text encoding, such as base64.
        # UnicodeError: the encoding is not for files, such as idna, which is for host names.
        with suppress(LookupError, UnicodeError):
            b" ".decode(value, "replace")
            return value
    return refuse(name, "the name of an encoding, such as utf-8 or latin-1", value)


def decimal_mark(value: object, name: str) -> str:
    """Return the decimal separator."""
    if not isinstance(value, str) or value not in (".", ","):
        refuse(name, "'.' or ','", value)
    return value
