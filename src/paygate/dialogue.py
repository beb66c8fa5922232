"""Dialogues: a driver's method is a generator that yields requests and is sent the responses.

A dialogue holds no client and does no I/O, so the same code runs sync, async, scripted in a
test, replayed from a recording, and in a simulator.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

_DOTS = "••••"

BODY_BYTES_MAX = 2_000_000
"""The largest response body that is read, unless the request allows more; operations need less."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Request:
    """One HTTP request, complete, as bytes.

    `moves_money` is set on the one request of an operation that may move money: a failure before
    it was sent makes the attempt unsent, a failure after it makes the outcome unknown.
    `step` names the request within its operation. `repeatable` says that sending
    it twice has the same effect as sending it once. `retry_header` names a response header in
    which the processor says ``true`` or ``false``: whether this request may be sent again with
    its key. `sign_in` adds the account's access token as a bearer token. `timeout_s` overrides
    the account's deadline, `answer_bytes_max` the largest response body that is read.
    `address` is an IP address to which the name in `url` was resolved, and which was checked: the
    connection goes to it and nowhere else, and TLS verifies the name. `public_only` is for a URL
    that a stranger entered: the request is not sent if the name has an address that is not
    public.
    """

    method: str
    url: str
    step: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    moves_money: bool = False
    repeatable: bool = False
    retry_header: str = ""
    sign_in: bool = False
    timeout_s: float | None = None
    answer_bytes_max: int = BODY_BYTES_MAX
    address: str = ""
    public_only: bool = False

    def __repr__(self) -> str:
        # Headers hold credentials, bodies card data, and a URL may hold either: none is shown.
        return f"Request({self.step}: {self.method}, {len(self.body)} bytes {_DOTS})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Response:
    """The response to a request; header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""

    def __repr__(self) -> str:
        return f"Response({self.status}, {len(self.body)} bytes {_DOTS})"


@dataclass(frozen=True, slots=True)
class Note:
    """The processor's reference of its object, which is stored before the dialogue continues.

    If the process crashes between creating and confirming the object, the reference is
    in the ledger and an inquiry can use it.
    """

    reference: str


NOTED = Response(status=0)
"""What a dialogue is sent after it yields a `Note`."""

Dialogue: TypeAlias = Generator[Request | Note, Response, T]
"""A generator of requests that returns a T."""


def deferred(begin: Callable[[], Dialogue[T]]) -> Dialogue[T]:
    """Call *begin* when the dialogue is driven, so that what it raises is raised there."""
    return (yield from begin())


def at_once(value: T) -> Dialogue[T]:
    """Return a dialogue that sends no request and returns *value*."""
    yield from ()
    return value
