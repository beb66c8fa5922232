"""JSON bodies, read without surprises.

These are refused: bodies that are not UTF-8 or not JSON, a name that an object has twice (readers
differ in which one counts), NaN and infinities, numbers of thousands of digits, and more than a few
hundred nested objects. A number with a fraction is decoded as a float; `Fields.decimal` returns it
only if every written digit is known, unless `read_json_value` reads numbers as exact decimals.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final, NoReturn

from pydantic_core import from_json, to_json

from paygate.dialogue import BODY_BYTES_MAX
from paygate.driverkit.bodies import body_of, unreadable
from paygate.driverkit.fields import Fields
from paygate.errors import BadResponse

if TYPE_CHECKING:
    from paygate.dialogue import Response

_MARK: Final = b"\xef\xbb\xbf"
"""A byte order mark, which some processors write before UTF-8."""


def read_json(source: Response | bytes, by: str, *, bytes_max: int = BODY_BYTES_MAX) -> Fields:
    """Return the members of an object, or raise `BadResponse`; the error never quotes the body."""
    fields = read_json_value(source, by, bytes_max=bytes_max)
    if isinstance(fields.value(), dict):
        return fields
    raise unreadable(source, by, "a JSON object")


def read_jsonp(source: Response | bytes, by: str, *, bytes_max: int = BODY_BYTES_MAX) -> Fields:
    """
    Return the members of an object that may be an argument, ``jsonp ({…});``, as for a script.

    A body that is not UTF-8 is read as Latin-1.
    """
    body = body_of(source, by, "JSON", bytes_max).strip()
    if not body.startswith(b"{"):
        body = body[body.find(b"(") + 1 : max(0, body.rfind(b")"))].strip()
    try:
        body.decode()
    except ValueError:
        body = body.decode("latin-1").encode()
    try:
        return read_json(body, by, bytes_max=bytes_max)
    except BadResponse:
        raise unreadable(source, by, "a JSON object") from None


def read_json_value(
    source: Response | bytes,
    by: str,
    *,
    bytes_max: int = BODY_BYTES_MAX,
    signed: bool = False,
    exact: bool = False,
) -> Fields:
    """
    Return any JSON, such as a list at the top: ``.each()``, ``.texts()`` or ``.value()``.

    In a *signed* body, which only the processor can have written, duplicate names are not looked
    for: it is read in half the time, and the last of two counts. With *exact*, a number with a
    fraction is a Decimal with all its digits, and reading is slower.
    """
    body = body_of(source, by, "JSON", bytes_max)
    try:
        if exact:
            return Fields(_EXACT.decode(body.removeprefix(_MARK).decode()), by)
        return Fields(_decode(body, unique=not signed), by)
    except (ValueError, RecursionError):
        raise unreadable(source, by, "JSON") from None


# --- Decoding -------------------------------------------------------------------------------
# pydantic's decoder is twice as fast as the standard library's, and takes the last of two members
# of one name. Duplicates are found by encoding the value again: each member has one colon, and all
# other colons are in texts, which are the same in both unless one is escaped. The slower decoder
# reads those, and halves of surrogate pairs, which the fast one refuses.

_COLON: Final = ord(":")
_BACKSLASH: Final = ord("\\")
_ESCAPED_COLON: Final = b"\\u003"
_SURROGATES: Final = (b"\\ud", b"\\uD")


def _decode(body: bytes, *, unique: bool) -> Any:
    body = body.removeprefix(_MARK)
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError:
        if not any(each in body for each in _SURROGATES):
            raise
        return _SLOW.decode(body.decode())
    if not unique or (to_json(value).count(_COLON) == body.count(_COLON) and not _escapes(body)):
        return value
    return _SLOW.decode(body.decode())


def _escapes(body: bytes) -> bool:
    """Return whether there is an escaped colon; most bodies do not even have a backslash."""
    return _BACKSLASH in body and _ESCAPED_COLON in body


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name twice in one object")
    return members


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text[:10]} is not a number")


def _exact(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        return _refuse(text)  # its exponent has too many digits


_SLOW: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse)
_EXACT: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_exact
)
