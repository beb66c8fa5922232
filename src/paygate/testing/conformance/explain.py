"""Failures that explain themselves, and skipped cases that say why they do not apply."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from paygate.driver import Money

if TYPE_CHECKING:
    from collections.abc import Iterable

NOT_APPLICABLE: Final = "does not apply: "
"""The prefix of a skip reason; the pytest plug-in lists these skips separately."""

TRANSCRIPTS: Final = "how-to/write-transcripts"
CASSETTES: Final = "how-to/record-cassettes"
PROTOCOL: Final = "reference/gateway"
KIT: Final = "reference/conformance"
UNKNOWN: Final = "explanation/unknown-outcomes"
DIALOGUES: Final = "explanation/dialogues"
CALLBACKS: Final = "how-to/receive-callbacks"


def require(
    holds: object, *, expected: str, got: object, why: str, read: str = KIT, asked: str = ""
) -> None:
    """Fail unless *holds* is true; the other arguments are those of `fail`."""
    if not holds:
        fail(expected=expected, got=got, why=why, read=read, asked=asked)


def fail(*, expected: str, got: object, why: str, read: str = KIT, asked: str = "") -> NoReturn:
    """
    Fail with the expected value, the actual value, why it matters, and the page to read.

    *asked* is the line of the transcript that requires it, if there is one; see `Case.asks`.
    """
    source = f"asked by:       {asked}\n" if asked else ""
    raise AssertionError(
        f"\nexpected:       {expected}\ngot:            {brief(got)}\n{source}"
        f"why it matters: {why}\nread:           docs/{read}.md"
    )


def brief(value: object) -> str:
    """Return *value* as text: a string unchanged, a dataclass without its default values.

    >>> from paygate.domain.money import Money
    >>> from paygate.domain.outcome import Approved, Movement
    >>> moved = Movement(movement_id="mv_9", amount=Money.of("USD", "19.99"))
    >>> brief(Approved(reference="or_82", movements=(moved,)))
    "Approved(reference='or_82', movements=[Movement(movement_id='mv_9', amount=19.99 USD)])"
    """
    return value if isinstance(value, str) and not isinstance(value, Enum) else _shortened(value)


def _shortened(value: object) -> str:
    match value:
        case Money():
            return str(value)
        case Enum():
            return str(value)
        case BaseException():
            return f"{type(value).__name__}: {value}"
        case list() | tuple():
            members = cast("Iterable[object]", value)
            return f"[{', '.join(_shortened(each) for each in members)}]"
        case _ if is_dataclass(value) and not isinstance(value, type) and _shows_fields(value):
            told = [
                f"{each.name}={_shortened(getattr(value, each.name))}"
                for each in fields(value)
                if each.repr and getattr(value, each.name) != _default(each)
            ]
            return f"{type(value).__name__}({', '.join(told)})"
        case _:
            return repr(value)


def _shows_fields(value: object) -> bool:
    """Return whether the repr is the default of a dataclass; a custom one may hide a secret."""
    return repr(value).startswith(f"{type(value).__qualname__}(") and any(
        f"{each.name}=" in repr(value) for each in fields(cast("Any", value))
    )


def _default(of: Field[Any]) -> object:
    return of.default_factory() if of.default_factory is not MISSING else of.default


def does_not_apply(reason: str) -> NoReturn:
    """Skip a case that the driver's traits rule out; the run lists it with *reason*."""
    import pytest

    pytest.skip(f"{NOT_APPLICABLE}{reason}")
