"""Writing: bodies of requests, and texts that fit into a processor's fields."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlencode

from paygate.dialogue import Request
from paygate.gateway import digest_key, step_key

if TYPE_CHECKING:
    from collections.abc import Sequence

Form: TypeAlias = list[tuple[str, str]]
"""The fields of a form, in the order in which they are written."""

Member: TypeAlias = "str | Mapping[str, Member] | Sequence[Member]"
Members: TypeAlias = Mapping[str, Member]
"""The members of a form or an XML element, in order: a text, members of its own, or several."""

# --- Bodies ---------------------------------------------------------------------------


def json_body(value: Mapping[str, object] | Sequence[object]) -> bytes:
    """Return *value* as JSON; raise `ValueError` for NaN and infinities."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def filled(members: Members) -> Form:
    """Return the fields of a form, such as ``card[name]`` and ``types[0]``, except empty ones."""
    return [field for name, value in members.items() for field in _fields(name, value)]


def _fields(name: str, value: Member) -> Form:
    if isinstance(value, str):
        return [(name, value)] if value else []
    inner = value.items() if isinstance(value, Mapping) else enumerate(value)
    return [field for key, each in inner for field in _fields(f"{name}[{key}]", each)]


def form_body(form: Form) -> bytes:
    """Return *form* as a URL-encoded body."""
    return urlencode(form).encode()


_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def xml_body(root: str, members: Members, *, namespace: str = "") -> bytes:
    """Return an XML document with an element for each of *members*, except empty ones.

    Several texts or members of one name are elements that follow each other.
    """
    within = f' xmlns="{namespace}"' if namespace else ""
    inner = "".join(_elements(name, value) for name, value in members.items())
    return f'<?xml version="1.0" encoding="utf-8"?><{root}{within}>{inner}</{root}>'.encode()


def _elements(name: str, value: Member) -> str:
    if isinstance(value, str):
        inner = value.translate(_ESCAPES)
    elif isinstance(value, Mapping):
        inner = "".join(_elements(within, each) for within, each in value.items())
    else:
        return "".join(_elements(name, each) for each in value)
    return f"<{name}>{inner}</{name}>" if inner else ""


def form_request(url: str, step: str, form: Form, *, moves_money: bool = False) -> Request:
    """Return a POST of *form*; it is repeatable unless it moves money."""
    return _post(url, step, "application/x-www-form-urlencoded", form_body(form), moves_money)


def json_request(
    url: str,
    step: str,
    value: Mapping[str, object],
    *,
    moves_money: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Request:
    """Return a POST of *value* as JSON; it is repeatable unless it moves money."""
    request = _post(url, step, "application/json", json_body(value), moves_money)
    return replace(request, headers={**request.headers, **(headers or {})})


def _post(url: str, step: str, kind: str, body: bytes, moves_money: bool) -> Request:  # noqa: FBT001
    return Request(
        method="POST",
        url=url,
        step=step,
        headers={"Content-Type": kind},
        body=body,
        moves_money=moves_money,
        repeatable=not moves_money,
    )


# --- Texts that fit ---------------------------------------------------------------------

# XML 1.0 allows neither most control characters nor halves of a surrogate pair.
_UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")


def plain(text: str, longest: int) -> str:
    """Return *text* on one line, cut; characters that no field accepts become spaces.

    Use it for texts that may be cut, such as a description, but not for an e-mail address.
    """
    if text.isascii() and text.isprintable():
        return text[:longest].strip()
    return _UNFIT.sub(" ", text)[:longest].strip()


def listed(names: Sequence[str], longest: int) -> str:
    """Return as many *names* as fit, and the number of the others: ``INV-1, INV-2 +5``."""
    text, rest, count = ", ".join(names), "", len(names)
    while len(text) + len(rest) > longest and count > 1:
        count -= 1
        text, rest = ", ".join(names[:count]), f" +{len(names) - count}"
    return text[: longest - len(rest)] + rest


def short_key(key: str, step: str, longest: int) -> str:
    """Return the idempotency key of the request *step*, or its digest if it is too long."""
    whole = step_key(key, step)
    return whole if len(whole) <= longest else digest_key(key, step)[:longest]
