"""Fields: the members of a foreign message, each read as the type that it must have.

    sale = read_json(response, "Penny")
    sale.expect(live=True)
    Movement(movement_id=sale.id("id"), amount=sale.money("total.value", "USD"))
    sale.text("note", "")

A member is addressed by its path: names, and indexes of list entries, joined by dots
(``links.0.href``). Without a default it must exist and be valid, or `BadResponse` is raised, which
names the path. With a default nothing is raised: a member that only informs must never make a
response unreadable that says what happened to money. Null and an empty text count as missing.

The same class reads JSON, XML and forms; see `read_json`, `read_xml` and `read_form`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, overload
from urllib.parse import urlsplit

from paygate.domain.money import MINOR_MAX, Money
from paygate.domain.private import without_private
from paygate.errors import BadResponse, UsageError
from paygate.printing import shown, shown_value

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import tzinfo

T = TypeVar("T")
D = TypeVar("D")

TEXT_MAX: Final = 500
"""The length after which a text is cut; the ledger stores no more."""

URL_MAX: Final = 4096

ID: Final = re.compile(r"[\x21-\x7e]{1,255}")
"""The default pattern of an id, which is stored and becomes part of URLs."""

_DIGITS: Final = re.compile(r"[+-]?[0-9]{1,20}")
_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?")
_FLOAT_DIGITS: Final = 15
"""The number of digits that every float preserves; with more, the written digits are lost."""

_EXPONENT_MAX: Final = 20

_WHOLE_MAX: Final = 2**63 - 1
_SECONDS_MAX: Final = 2**32 - 1
_UNIX_SECONDS: Final = re.compile(r"[0-9]{1,10}|[0-9]{9,10}\.[0-9]{1,20}")
"""Seconds may have a fraction, but only from 1973 on: ``2026.08`` is a month."""
_FLAGS: Final = {"true": True, "1": True, "false": False, "0": False}

# Errors never quote the value of a member with such a name.
_UNSHOWN: Final = re.compile(
    r"secret|token|passw|key|signature|auth|cvv|cvc|pan|card|number|account|iban|holder|name|email"
    r"|phone|url|href|link",
    re.IGNORECASE,
)


class Missing(Enum):
    """The default of a member that must exist."""

    REQUIRED = "required"


REQUIRED: Final = Missing.REQUIRED


class Fields:
    """The members of a message of *by*, which errors name; *path* is their position in it.

    This class reads decoded JSON. A subclass reads another format by overriding how a value is
    found (`_find`), what is inside it (`_within`), and which entries it has (`_entries`).
    """

    __slots__ = ("_by", "_members", "_path", "_value")

    textual = False
    """Whether the format has only texts, so that numbers and flags are written as texts."""

    def __init__(self, value: object, by: str, path: str = "") -> None:
        self._value, self._by, self._path = value, by, path
        # Most paths are one name of an object, and cost one look-up in this.
        self._members = cast("dict[str, Any]", value) if type(value) is dict else _NONE

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._by}: {self._path or 'all of it'})"

    def __contains__(self, path: str) -> bool:
        """Return whether the member exists, even as null."""
        outer, _, name = path.rpartition(".")
        within = self._find(outer) if outer else self._value
        return type(within) is dict and name in within

    def __bool__(self) -> bool:
        return self._value is not None

    # --- Texts --------------------------------------------------------------------------

    @overload
    def text(self, path: str, *, longest: int = ...) -> str: ...
    @overload
    def text(self, path: str, default: D, *, longest: int = ...) -> str | D: ...
    def text(self, path: str, default: Any = REQUIRED, *, longest: int = TEXT_MAX) -> Any:
        """Return a text that every store accepts, cut after *longest* characters."""
        found = self._find(path)
        if not isinstance(found, str) or not found:
            return self._without(path, found, default, "text")
        if found.isascii() and found.isprintable():
            return found[:longest]
        # PostgreSQL stores no NUL, and no store accepts half a surrogate pair.
        return found[:longest].replace("\0", "").encode("utf-8", "replace").decode()

    @overload
    def id(self, path: str, *, pattern: re.Pattern[str] = ...) -> str: ...
    @overload
    def id(self, path: str, default: D, *, pattern: re.Pattern[str] = ...) -> str | D: ...
    def id(self, path: str, default: Any = REQUIRED, *, pattern: re.Pattern[str] = ID) -> Any:
        """Return a text that *pattern* matches completely; an id is never cut."""
        found = self._find(path)
        if isinstance(found, str) and pattern.fullmatch(found):
            return found
        return self._without(path, found, default, "an id")

    @overload
    def url(self, path: str, *, also: Collection[str] = ...) -> str: ...
    @overload
    def url(self, path: str, default: D, *, also: Collection[str] = ...) -> str | D: ...
    def url(self, path: str, default: Any = REQUIRED, *, also: Collection[str] = ()) -> Any:
        """Return a URL that a payer may be sent to: https, or one below those in *also*."""
        found = self._find(path)
        if isinstance(found, str) and is_address(found, also):
            return found
        return self._without(path, found, default, "an https address")

    @overload
    def choice(self, path: str, table: Mapping[str, T]) -> T: ...
    @overload
    def choice(self, path: str, table: Mapping[str, T], default: D) -> T | D: ...
    def choice(self, path: str, table: Mapping[str, T], default: Any = REQUIRED) -> Any:
        """Return the entry of *table* for one of the processor's words."""
        found = self._find(path)
        if isinstance(found, str) and found in table:
            return table[found]
        return self._without(path, found, default, "a known word")

    # --- Numbers and instants -----------------------------------------------------------

    @overload
    def whole(self, path: str) -> int: ...
    @overload
    def whole(self, path: str, default: D) -> int | D: ...
    def whole(self, path: str, default: Any = REQUIRED) -> Any:
        """Return an integer of at most 64 bits; in JSON it must be a number, not a text."""
        found = self._find(path)
        if self.textual and isinstance(found, str) and _DIGITS.fullmatch(found):
            found = int(found)
        if type(found) is int and -_WHOLE_MAX <= found <= _WHOLE_MAX:
            return found
        return self._without(path, found, default, "a whole number")

    @overload
    def decimal(self, path: str) -> Decimal: ...
    @overload
    def decimal(self, path: str, default: D) -> Decimal | D: ...
    def decimal(self, path: str, default: Any = REQUIRED) -> Any:
        """Return a number, or a text of digits, exactly as it is written."""
        found = self._find(path)
        number = _decimal(found)
        return self._without(path, found, default, "a number") if number is None else number

    @overload
    def money(self, path: str, currency: str) -> Money: ...
    @overload
    def money(self, path: str, currency: str, default: D) -> Money | D: ...
    def money(self, path: str, currency: str, default: Any = REQUIRED) -> Any:
        """Return an amount in major units, such as ``"12.50"``: not negative, and never rounded."""
        found = self._find(path)
        number = _decimal(found)
        amount = None if number is None else _money(currency, number)
        if amount is None:
            return self._without(path, found, default, f"an amount of {shown(currency)}")
        return amount

    @overload
    def instant(self, path: str, *, zone: tzinfo | None = ...) -> datetime: ...
    @overload
    def instant(self, path: str, default: D, *, zone: tzinfo | None = ...) -> datetime | D: ...
    def instant(self, path: str, default: Any = REQUIRED, *, zone: tzinfo | None = None) -> Any:
        """Return a time in UTC, from Unix seconds (their fraction is cut) or ISO 8601.

        A text without a zone is in *zone*; without *zone* it is not valid.
        """
        found = self._find(path)
        moment = _instant(found, zone)
        return self._without(path, found, default, "an instant") if moment is None else moment

    @overload
    def flag(self, path: str) -> bool: ...
    @overload
    def flag(self, path: str, default: D) -> bool | D: ...
    def flag(self, path: str, default: Any = REQUIRED) -> Any:
        """Return true or false; formats that have only texts may also use 1 and 0."""
        found = self._find(path)
        if self.textual and isinstance(found, str):
            found = _FLAGS.get(found.lower(), found)
        return found if isinstance(found, bool) else self._without(path, found, default, "a flag")

    def expiry(
        self, month: str = "exp_month", year: str = "exp_year"
    ) -> tuple[int, int] | tuple[None, None]:
        """Return month and year of a card's expiry, if both exist and are valid."""
        in_month, in_year = self.whole(month, 0), self.whole(year, 0)
        possible = 1 <= in_month <= 12 and 2000 <= in_year < 2200
        return (in_month, in_year) if possible else (None, None)

    # --- Objects and lists ----------------------------------------------------------------

    def at(self, path: str) -> Fields:
        """Return the members at *path*; if there is nothing, they are all missing."""
        return self._within(self._find(path), self._joined(path))

    def each(self, path: str = "", default: Sequence[Fields] | Missing = REQUIRED) -> list[Fields]:
        """Return the entries of a list of objects; without *path*, of the message itself.

        With a default, entries that are not objects are left out.
        """
        found = self.value(path)
        entries = self._entries(found, path)
        if entries is None or (default is REQUIRED and not all(entries)):
            return list(self._without(path, found, default, "a list of objects"))
        return [each for each in entries if each]

    def entries(self, path: str = "") -> list[Fields]:
        """Return the entries of a list, some of which may not be objects."""
        entries = self._entries(self.value(path), path)
        if entries is None:
            return list(self._without(path, self.value(path), REQUIRED, "a list"))
        return entries

    def texts(self, path: str = "") -> list[str]:
        """Return the entries of a list of texts."""
        found = self.value(path)
        entries = cast("list[object]", found) if type(found) is list else [None]
        texts = [each for each in entries if isinstance(each, str)]
        if len(texts) != len(entries):
            self._without(path, self.value(path), REQUIRED, "a list of texts")
        return texts

    def value(self, path: str = "") -> object:
        """Return the decoded value at *path*, for what the other methods cannot read."""
        return self._find(path) if path else self._value

    def expect(self, /, **wanted: str | int) -> None:
        """Raise `BadResponse` unless the members have these values: the response is another's."""
        for path, value in wanted.items():
            match value:
                case bool():
                    found: object = self.flag(path, None)
                case int():
                    found = self.whole(path, None)
                case _:
                    found = self._find(path)
            if type(found) is not type(value) or found != value:
                raise BadResponse(
                    f"{self._by} gives another {self._joined(path)} than {shown_value(value)}"
                )

    def wrong(self, path: str, what: str) -> BadResponse:
        """Return the error for a member and what is wrong with it: ``"is in the past"``."""
        return BadResponse(f"{self._by} gives {self._joined(path) or 'an answer'} that {what}")

    # --- How a format is read ---------------------------------------------------------------

    def _find(self, path: str) -> object:
        """Return the value at *path*; None if it is missing."""
        if "." not in path and self._members:
            return self._members.get(path)
        found = self._value
        for name in path.split("."):
            found = _member(found, name)
        return found

    def _within(self, value: object, path: str) -> Fields:
        members = cast("dict[str, object]", value) if type(value) is dict else None
        return Fields(members, self._by, path)

    def _entries(self, value: object, path: str) -> list[Fields] | None:
        """Return the entries of a list; None if *value* is not a list."""
        if type(value) is not list:
            return None
        at = f"{path}." if path else ""
        entries = enumerate(cast("list[object]", value))
        return [self._within(each, self._joined(f"{at}{number}")) for number, each in entries]

    def _joined(self, path: str) -> str:
        return f"{self._path}.{path}" if self._path and path else self._path or path

    def _without(self, path: str, found: object, default: Any, wanted: str) -> Any:
        """Return *default*, or raise `BadResponse` without one."""
        if default is not REQUIRED:
            return default
        if found is None or found == "":
            raise BadResponse(f"{self._by} gives no {self._joined(path) or 'answer'}")
        what = _shown(self._joined(path), found)
        raise BadResponse(
            f"{self._by} gives {what} as {self._joined(path) or 'its answer'}, not {wanted}"
        )


def is_address(text: str, also: Collection[str] = ()) -> bool:
    """Return whether a payer may be sent to *text*: https, or a URL below one in *also*."""
    if not (text.isascii() and text.isprintable() and len(text) <= URL_MAX) or " " in text:
        return False
    if any(text.startswith(f"{each}/") for each in also):
        return True
    try:
        parts = urlsplit(text)
        return parts.scheme == "https" and bool(parts.hostname) and parts.username is None
    except ValueError:
        return False


_NONE: Final[dict[str, Any]] = {}


def _member(value: object, name: str) -> object:
    """Return the member *name* of an object or entry of a list; None if it is missing."""
    if type(value) is dict:
        return cast("dict[str, object]", value).get(name)
    if type(value) is not list or not (name.isascii() and name.isdigit() and len(name) < 9):
        return None
    entries, number = cast("list[object]", value), int(name)
    return entries[number] if number < len(entries) else None


def _decimal(found: object) -> Decimal | None:
    if isinstance(found, str):
        return Decimal(found) if _DECIMAL.fullmatch(found) else None
    if type(found) is int:
        return Decimal(found) if -_WHOLE_MAX <= found <= _WHOLE_MAX else None
    if type(found) is Decimal:
        return found if abs(found.adjusted()) < _EXPONENT_MAX else None
    if type(found) is not float:
        return None
    # JSON's 1e999 is an infinity here, and is refused too.
    number = Decimal(repr(found)) if abs(found) < 10**_FLOAT_DIGITS else None
    return number if number is not None and len(number.as_tuple().digits) <= _FLOAT_DIGITS else None


def _money(currency: str, number: Decimal) -> Money | None:
    try:
        amount = Money.of(currency, number)
    except UsageError:
        return None
    return amount if 0 <= amount.minor <= MINOR_MAX else None


def _instant(found: object, zone: tzinfo | None) -> datetime | None:
    text = str(found) if isinstance(found, float | Decimal) else found
    if isinstance(text, str) and _UNIX_SECONDS.fullmatch(text):
        found = int(text.partition(".")[0])
    if type(found) is int:
        return datetime.fromtimestamp(found, UTC) if 0 < found <= _SECONDS_MAX else None
    if not isinstance(found, str):
        return None
    try:
        read = datetime.fromisoformat(found)
        if read.utcoffset() is None:
            read = read.replace(tzinfo=zone)
        return None if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _shown(path: str, found: object) -> str:
    """Return a value for an error: at most 80 characters of a text, and no secret."""
    if isinstance(found, str):
        return "a text" if _UNSHOWN.search(path) else shown(without_private(found))
    if isinstance(found, bool):
        return "true" if found else "false"
    kinds: dict[type, str] = {
        int: "a number",
        float: "a number with a fraction",
        Decimal: "a number with a fraction",
        dict: "an object",
        list: "a list",
    }
    return kinds.get(type(found), "something else")
