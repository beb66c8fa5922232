"""Secrets: those in a method, an account or a request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from enum import Enum
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, assert_never, cast

from paygate.domain.secret import OneTimeToken, RawBankAccount, RawCard, Secret
from paygate.gateway import StoredToken, Traits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from paygate.dialogue import Request
    from paygate.gateway import Method

_PLAIN: Final = (str, bytes, int, float, type, Enum, date, timedelta, Traits, FunctionType)
"""Types that contain no secret; most of a driver's attributes have one of them."""
_DEPTH_MAX: Final = 5
_PARTS_MAX: Final = 10_000
_SHORT: Final = 6
_CREDENTIAL: Final = re.compile(r"auth|key|token|secret|password|cookie", re.IGNORECASE)


def secrets_of(method: Method | None) -> list[Secret[str]]:
    """Return the secrets of *method*."""
    match method:
        case OneTimeToken(value) | StoredToken(value):
            return [value]
        case RawCard(number, security_code=code):
            return [number] if code is None else [number, code]
        case RawBankAccount(routing_number=routing, account_number=number):
            return [number, routing]
        case None:
            return []
        case _:
            assert_never(method)


def secrets_in(thing: object) -> list[Secret[str]]:
    """Return the secrets of a gateway or a sink, in its settings or anywhere else in it."""
    found: dict[str, Secret[str]] = {}
    _gather(thing, found, set(), _DEPTH_MAX)
    return list(found.values())


def credentials_of(request: Request) -> list[Secret[str]]:
    """Return the credentials in the headers of *request*."""
    words = [
        word
        for name, value in request.headers.items()
        if _CREDENTIAL.search(name) and "idempotency" not in name.lower()
        for word in value.split()
    ]
    return [Secret(word) for word in words if len(word) > _SHORT]


def _gather(thing: object, found: dict[str, Secret[str]], seen: set[int], depth: int) -> None:
    if id(thing) in seen or depth < 0 or len(seen) > _PARTS_MAX:
        return
    if isinstance(thing, _PLAIN):
        return
    seen.add(id(thing))
    if isinstance(thing, Secret):
        value = cast("Secret[str] | Secret[bytes]", thing).reveal()
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        found[text] = Secret(text)
        return
    parts: Iterable[object]
    if isinstance(thing, Mapping):
        parts = cast("Mapping[object, object]", thing).values()
    elif isinstance(thing, list | tuple | set | frozenset):
        parts = cast("Iterable[object]", thing)
    else:
        slots = [name for kind in type(thing).__mro__ for name in _slots(kind)]
        parts = [*getattr(thing, "__dict__", {}).values()]
        parts += [getattr(thing, name, None) for name in slots]
    for part in parts:
        _gather(part, found, seen, depth - 1)


def _slots(kind: type) -> Sequence[str]:
    slots: Any = kind.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)
