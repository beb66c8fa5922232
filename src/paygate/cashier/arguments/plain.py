"""Plain arguments: texts, numbers and choices."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from paygate.domain.kind import Kind
from paygate.domain.money import MINOR_MAX
from paygate.domain.text import IDS, encodable, identifier, spelled_alike
from paygate.errors import InvalidValue
from paygate.printing import shown_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from enum import StrEnum
    from typing import Any, Final, NoReturn

    E = TypeVar("E", bound=StrEnum)

T = TypeVar("T")


NUMBER_LENGTH_MAX: Final = 100
"""The longest number of an invoice or a reversal."""

URL_LENGTH_MAX: Final = 2_048
"""The longest return URL; browsers and processors cut or refuse longer ones."""


def refuse(name: str, wants: str, value: object) -> NoReturn:
    """Raise the error that says what the argument *name* must be, and what was given."""
    raise InvalidValue(f"{name} must be {wants}, not {shown_value(value)}", argument=name)


def maybe(read: Callable[..., T], value: object, name: str) -> T | None:
    """Return None for None, and what *read* returns for everything else."""
    return None if value is None else read(value, name)


def named(value: object, name: str) -> str:
    """Return a text by which a record is looked up, in the spelling in which names are stored."""
    if not isinstance(value, str) or not encodable(value):
        refuse(name, "text", value)
    return spelled_alike(value)


def names(value: object, name: str) -> list[str]:
    """Return several names: a list, a tuple or a set of texts."""
    if not isinstance(value, list | tuple | set | frozenset):
        refuse(name, "a list of names", value)
    return [named(each, name) for each in cast("Iterable[object]", value)]


def key(value: str) -> str:
    """Return an idempotency key."""
    return identifier(value, "key")


def number(value: str, name: str) -> str:
    """Return the number of a document, which cannot look like an id of the ledger."""
    found = identifier(value, name, length_max=NUMBER_LENGTH_MAX)
    if found.startswith(IDS):
        refuse(name, f"a number that does not begin with {' or '.join(IDS)}, as ids do", value)
    return found


def url(value: object, name: str, *, live: bool) -> str:
    """Return a URL to which a payer is sent; *live* money is not paid over plain HTTP."""
    if not isinstance(value, str) or len(value) > URL_LENGTH_MAX:
        refuse(name, f"a URL of at most {URL_LENGTH_MAX:,} characters", value)
    if live and value[:5].lower() == "http:":
        refuse(name, "an https URL, because the gateway account is live", value)
    return value


def whole(value: object, name: str, low: int = 1, high: int = MINOR_MAX) -> int:
    """Return a whole number from *low* to *high*."""
    if type(value) is not int or not low <= value <= high:
        refuse(name, f"a whole number from {low:,} to {high:,}", value)
    return value


def flag(value: object, name: str) -> bool:
    """Return True or False; a text such as ``"no"`` is neither."""
    if type(value) is not bool:
        refuse(name, "True or False", value)
    return value


def choice(enum: type[E], value: object, name: str) -> E:
    """Return a member of *enum*, given as such or as its text."""
    if isinstance(value, str):
        try:
            return enum(value)
        except ValueError:
            pass
    raise InvalidValue(
        f"{name} must be one of {', '.join(enum)}, not {shown_value(value)}",
        argument=name,
        known=tuple(each.value for each in enum),
    )


def member(enum: type[E], value: object, name: str) -> E | None:
    """Return None for None, and otherwise a member of *enum*, given as such or as its text."""
    return None if value is None else choice(enum, value, name)


def kind(value: object, name: str, taken: Sequence[Kind] = ()) -> Kind:
    """Return a kind of payment; an error lists the kinds that are *taken* here."""
    if isinstance(value, str) and value in tuple(Kind):
        return Kind(value)
    return refuse(name, f"one of {', '.join(taken or Kind)}", value)


def called(value: object, name: str, takes: str) -> Callable[..., Any]:
    """Return a function of the host."""
    if not callable(value):
        refuse(name, f"a function that takes {takes}", value)
    return value
