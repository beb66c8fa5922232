"""Hiding: secrets of the account and of the payer, and the payer's identity, in foreign answers.

Processors, and proxies on the way to them, repeat what they were sent: a token in a code, a key in
a message. Everything that a dialogue returns is filtered here, before any of it is stored, emitted
or raised.

- Short secrets, such as a security code, are removed only from prose, and only as a word: in a code
  or a reference the same digits mean something else.
- A link or form for the payer's browser may contain the payer's own one-time token, which is spent,
  but no card number, bank account or token of a stored method.
- Some drivers join a token from parts that the processor names separately, such as a customer and a
  card, so each part is removed as well. A part that could be a common word or number is removed
  from prose only. References are kept, because an operation is found by its reference, which may
  be the processor's id of the payer and is not a secret by itself.
- Contact facts of the payer, and whatever looks like a card number or an e-mail address, are
  removed from messages and codes. References are kept here too: money is identified by them, and
  their digits may look like a card number by chance. An event id that looks like one becomes a
  digest, which identifies it just as well.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum, auto
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, TypeVar, assert_never, cast

from paygate.domain.action import PayToAddress, PostForm, Redirect, ScriptStep, ShowCode
from paygate.domain.private import without_private
from paygate.domain.secret import DOTS, OneTimeToken, Secret
from paygate.domain.spellings import SHORT, Spellings
from paygate.gateway import StoredToken
from paygate.service.secrets import secrets_of

if TYPE_CHECKING:
    from paygate.domain.customer import Customer
    from paygate.gateway import Method

T = TypeVar("T")

_PROSE: Final = frozenset({"message", "reason", "instructions", "unreadable", "alert"})
_SAID: Final = frozenset(
    {"message", "reason", "unreadable", "alert", "code", "raw_code", "brand", "wallet", "type"}
)
"""The fields that hold a processor's words; the others identify something, or are for the payer."""
_EVENT: Final = "event_id"

_FACT_MIN: Final = 4
_FOR_THE_PAYER: Final = (Redirect, PostForm, ScriptStep, ShowCode, PayToAddress)


class Hidden:
    """What is removed from answers: secrets of the account and the payer, and contact facts."""

    __slots__ = ("_account", "_contact", "_payer")

    def __init__(
        self,
        account: Iterable[Secret[str]] | Spellings = (),
        payer: Spellings | None = None,
        contact: tuple[re.Pattern[str], ...] = (),
    ) -> None:
        self._account = account if isinstance(account, Spellings) else Spellings(account)
        self._payer = Spellings() if payer is None else payer
        self._contact = contact

    def __repr__(self) -> str:
        return f"Hidden({DOTS})"

    def also(self, secrets: Iterable[Secret[str]]) -> Hidden:
        """Return this with *secrets* of a payer, or of one request, added."""
        more = Spellings(secret for secret in secrets if not self._account.covers(secret))
        if not more:
            return self
        return Hidden(self._account, self._payer.and_those(more), self._contact)

    def of(self, method: Method | None) -> Hidden:
        """Return this with the secrets of *method* added."""
        more = Spellings(secrets_of(method))
        if isinstance(method, OneTimeToken | StoredToken):
            more = more.and_parts(method.value)
        if not more:
            return self
        if isinstance(method, OneTimeToken):
            return Hidden(self._account, self._payer.and_those(more), self._contact)
        return Hidden(self._account.and_those(more), self._payer, self._contact)

    def about(self, *people: Customer | None) -> Hidden:
        """Return this with the contact facts of *people* added."""
        more = tuple(each for person in people if person is not None for each in _facts(person))
        return Hidden(self._account, self._payer, self._contact + more) if more else self

    def blot(self, answer: T) -> T:
        """Return *answer* with dots for everything hidden, whatever its type."""
        return cast("T", self._blotted(answer, "", for_the_payer=False))

    def said(self, text: str) -> str:
        """Return *text*, a message of the other side, with dots for everything hidden."""
        return self._text(text, "message", for_the_payer=False)

    def _blotted(self, value: Any, name: str, *, for_the_payer: bool) -> Any:
        shape = _SHAPES[type(value)]
        match shape:
            case _Shape.PLAIN:
                return value
            case _Shape.TEXT:
                return self._text(value, name, for_the_payer=for_the_payer)
            case _Shape.PARTS:
                parts = [self._blotted(each, name, for_the_payer=for_the_payer) for each in value]
                return type(value)(parts) if _differs(parts, value) else value
            case _Shape.MAPPING:
                return self._mapping(value, name, for_the_payer=for_the_payer)
            case _Shape.RECORD:
                return self._record(value, for_the_payer=for_the_payer)
            case _:
                assert_never(shape)

    def _mapping(self, old: Mapping[Any, Any], name: str, *, for_the_payer: bool) -> Any:
        new = {
            key: self._blotted(each, name, for_the_payer=for_the_payer) for key, each in old.items()
        }
        return new if _differs(new.values(), old.values()) else old

    def _record(self, record: Any, *, for_the_payer: bool) -> Any:
        payers = for_the_payer or isinstance(record, _FOR_THE_PAYER)
        changed: dict[str, Any] = {}
        for name in _FIELD_NAMES[type(record)]:
            before = getattr(record, name)
            after = self._blotted(before, name, for_the_payer=payers)
            if after is not before:
                changed[name] = after
        return replace(record, **changed) if changed else record

    def _text(self, text: str, name: str, *, for_the_payer: bool) -> str:
        if not text:
            return text
        prose, whole = name in _PROSE, name not in _PROSE and name not in _SAID
        text = self._account.blotted(text, prose=prose, whole=whole)
        if for_the_payer:
            return text
        text = self._payer.blotted(text, prose=prose, whole=whole)
        if name == _EVENT:
            return _impersonal(text)
        return self._anonymous(text) if name in _SAID else text

    def _anonymous(self, text: str) -> str:
        for fact in self._contact:
            if fact.search(text):
                text = fact.sub(DOTS, text)
        return without_private(text)


class _Shape(Enum):
    """The structure of a value, by its class."""

    PLAIN = auto()
    TEXT = auto()
    PARTS = auto()
    MAPPING = auto()
    RECORD = auto()


def _shape_of(kind: type) -> _Shape:
    record = is_dataclass(kind)
    if issubclass(kind, Enum | Secret | NoneType):
        return _Shape.PLAIN
    if issubclass(kind, str):
        return _Shape.TEXT
    if kind in (tuple, list):
        return _Shape.PARTS
    if issubclass(kind, Mapping):
        return _Shape.MAPPING
    return _Shape.RECORD if record else _Shape.PLAIN


class _Shapes(dict[type, _Shape]):
    """The shape of each class, computed once because that is slow."""

    def __missing__(self, kind: type) -> _Shape:
        return self.setdefault(kind, _shape_of(kind))


class _FieldNames(dict[type, tuple[str, ...]]):
    """The names of the fields of each record class, computed once."""

    def __missing__(self, kind: type) -> tuple[str, ...]:
        return self.setdefault(kind, tuple(field.name for field in fields(kind)))


_SHAPES: Final = _Shapes()
_FIELD_NAMES: Final = _FieldNames()


def _impersonal(event_id: str) -> str:
    """Return *event_id*, or a stable digest of it if it may contain personal or card data."""
    if without_private(event_id) == event_id:
        return event_id
    return f"sha256:{hashlib.sha256(event_id.encode('utf-8', 'replace')).hexdigest()[:32]}"


def _facts(person: Customer) -> list[re.Pattern[str]]:
    """Return patterns of the contact facts of *person*, in any case and spacing."""
    address = person.address
    lines = address.line1, address.line2, address.city, address.region, address.postal_code
    facts = (person.email, person.name, *lines, person.phone)
    words = [fact.split() for fact in facts if len(fact.strip()) >= _FACT_MIN]
    found = [
        re.compile(r"(?<!\w)" + r"\s+".join(map(re.escape, each)) + r"(?!\w)", re.IGNORECASE)
        for each in words
    ]
    digits = re.sub(r"\D", "", person.phone)
    if len(digits) >= SHORT:
        found.append(re.compile(r"(?<!\d)\+?\(?" + r"[ ().-]*".join(digits) + r"(?!\d)"))
    return found


NOTHING: Final = Hidden()
"""For dialogues without an account, as in tests."""


def _differs(new: Iterable[Any], old: Iterable[Any]) -> bool:
    return any(after is not before for after, before in zip(new, old, strict=True))
