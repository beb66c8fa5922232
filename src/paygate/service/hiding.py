"""What an answer must not repeat: the account's secrets, and those of the payer.

Processors, and proxies on the way to them, repeat what they were sent: a token in a
code, a key in a message. Everything that comes out of a dialogue passes here, before
anything of it is stored, told in an event, or raised.

Short secrets, such as a security code, are taken out of prose only, where they stand as
a word: in a code or a reference of the processor the same digits mean something else.
A link or form for the payer's browser may hold the payer's own token.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeVar, assert_never, cast
from urllib.parse import quote

from paygate.domain.outcome import PayToAddress, PostForm, Redirect, ScriptStep
from paygate.domain.secret import DOTS, OneTimeToken, RawBankAccount, RawCard, Secret
from paygate.gateway import StoredToken

if TYPE_CHECKING:
    from paygate.dialogue import Request
    from paygate.gateway import Method

T = TypeVar("T")

_SHORT: Final = 6
_DEPTH_MAX: Final = 5
_PARTS_MAX: Final = 10_000
_PROSE: Final = frozenset({"message", "reason", "instructions", "unreadable"})
_FOR_THE_PAYER: Final = (Redirect, PostForm, ScriptStep, PayToAddress)
_CREDENTIAL: Final = re.compile(r"auth|key|token|secret|password|cookie", re.IGNORECASE)


class Hidden:
    """Secrets of an account and of a payer, which are taken out of every answer."""

    __slots__ = ("_account", "_payer")

    def __init__(
        self, account: Iterable[Secret[str]] | Spellings = (), payer: Spellings | None = None
    ) -> None:
        self._account = account if isinstance(account, Spellings) else Spellings(account)
        self._payer = Spellings() if payer is None else payer

    def __repr__(self) -> str:
        return f"Hidden({DOTS})"

    def also(self, secrets: Iterable[Secret[str]]) -> Hidden:
        """Hide *secrets* of a payer, or of one request, as well."""
        more = Spellings(secrets)
        return Hidden(self._account, self._payer.and_those(more)) if more else self

    def of(self, method: Method | None) -> Hidden:
        """Hide what *method* consists of as well."""
        return self.also(secrets_of(method))

    def blot(self, answer: T) -> T:
        """Return *answer* with dots for every secret, whatever it is made of."""
        if not self._account and not self._payer:
            return answer
        return cast("T", self._blotted(answer, "", for_the_payer=False))

    def _blotted(self, value: Any, name: str, *, for_the_payer: bool) -> Any:
        match value:
            case Enum() | Secret() | None:
                return cast("object", value)
            case str():
                return self._text(value, name, for_the_payer=for_the_payer)
            case _ if type(value) in (tuple, list):
                parts = [self._blotted(each, name, for_the_payer=for_the_payer) for each in value]
                return type(value)(parts) if _differs(parts, value) else value
            case Mapping():
                return self._mapping(cast("Any", value), name, for_the_payer=for_the_payer)
            case _ if is_dataclass(value) and not isinstance(value, type):
                return self._record(value, for_the_payer=for_the_payer)
            case _:
                return value

    def _mapping(self, old: Mapping[Any, Any], name: str, *, for_the_payer: bool) -> Any:
        new = {
            key: self._blotted(each, name, for_the_payer=for_the_payer) for key, each in old.items()
        }
        return new if _differs(new.values(), old.values()) else old

    def _record(self, record: Any, *, for_the_payer: bool) -> Any:
        payers = for_the_payer or isinstance(record, _FOR_THE_PAYER)
        changed: dict[str, Any] = {}
        for field in fields(record):
            before = getattr(record, field.name)
            after = self._blotted(before, field.name, for_the_payer=payers)
            if after is not before:
                changed[field.name] = after
        return replace(record, **changed) if changed else record

    def _text(self, text: str, name: str, *, for_the_payer: bool) -> str:
        prose = name in _PROSE
        text = self._account.blotted(text, prose=prose)
        return text if for_the_payer else self._payer.blotted(text, prose=prose)


class Spellings:
    """The ways in which secrets are repeated: as they are, encoded, in groups of digits."""

    __slots__ = ("_grouped", "_long", "_short")

    def __init__(self, secrets: Iterable[Secret[str]] = ()) -> None:
        texts = {secret.reveal() for secret in secrets} - {""}
        self._short = tuple(text for text in texts if len(text) < _SHORT)
        long = [text for text in texts if len(text) >= _SHORT]
        self._long = tuple(each for text in long for each in _encodings(text))
        self._grouped = tuple(text for text in long if text.isdigit())

    def __bool__(self) -> bool:
        return bool(self._short or self._long)

    def and_those(self, other: Spellings) -> Spellings:
        """Return both together."""
        both = Spellings()
        both._short = self._short + other._short
        both._long = self._long + other._long
        both._grouped = self._grouped + other._grouped
        return both

    def blotted(self, text: str, *, prose: bool) -> str:
        """Return *text* with dots for each of them; short ones only as a word of *prose*."""
        for each in self._long:
            if each in text:
                text = text.replace(each, DOTS)
        for digits in self._grouped:
            text = re.sub("[ -]?".join(digits), DOTS, text)
        if prose:
            for word in self._short:
                if word in text:
                    text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", DOTS, text)
        return text


def _encodings(text: str) -> set[str]:
    plain = (text, f"{text}:")  # the latter as in HTTP's basic authentication
    based = {base64.b64encode(each.encode()).decode().rstrip("=") for each in plain}
    return {text, quote(text, safe=""), json.dumps(text)[1:-1]} | based


NOTHING: Final = Hidden()
"""For dialogues of nobody's account, as in tests."""


def secrets_of(method: Method | None) -> list[Secret[str]]:
    """Return what *method* consists of."""
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
    """Return the secrets that a gateway or a sink holds, in its settings or anywhere."""
    found: dict[str, Secret[str]] = {}
    _gather(thing, found, set(), _DEPTH_MAX)
    return list(found.values())


def credentials_of(request: Request) -> list[Secret[str]]:
    """Return what *request* proves by its headers that it is ours."""
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
    if isinstance(thing, str | bytes | int | float | type):
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


def _differs(new: Iterable[Any], old: Iterable[Any]) -> bool:
    return any(after is not before for after, before in zip(new, old, strict=True))
