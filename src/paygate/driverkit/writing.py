"""Writing: bodies of requests, and what fits into the fields of somebody else."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlencode

from paygate.gateway import digest_key, step_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Form: TypeAlias = list[tuple[str, str]]
"""The fields of a form, in the order in which they are written."""

# --- Bodies ---------------------------------------------------------------------------


def json_body(value: Mapping[str, object] | Sequence[object]) -> bytes:
    """Return *value* as JSON; raise `ValueError` for NaN and infinities."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def filled(fields: Mapping[str, str]) -> Form:
    """Return the fields of a form that are not empty."""
    return [(name, text) for name, text in fields.items() if text]


def form_body(form: Form) -> bytes:
    """Return *form* as the body of a form."""
    return urlencode(form).encode()


_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def leaf(name: str, text: str) -> str:
    """Return an XML element with *text* in it; nothing if there is no text."""
    return f"<{name}>{text.translate(_ESCAPES)}</{name}>" if text else ""


def node(name: str, *children: str) -> str:
    """Return an XML element around *children*, written before; nothing around nothing."""
    inner = "".join(children)
    return f"<{name}>{inner}</{name}>" if inner else ""


def document(root: str, *children: str, namespace: str = "") -> bytes:
    """Return an XML document with *root* around *children*."""
    inner = "".join(children)
    within = f' xmlns="{namespace}"' if namespace else ""
    return f'<?xml version="1.0" encoding="utf-8"?><{root}{within}>{inner}</{root}>'.encode()


# --- What fits --------------------------------------------------------------------------

# XML 1.0 has no place for most control characters, and none for halves of a surrogate pair.
_UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")


def plain(text: str, longest: int) -> str:
    """Return *text* on one line, cut: characters that no field takes become spaces.

    For what says the same if it is cut, such as a description; not for an e-mail address.
    """
    if text.isascii() and text.isprintable():
        return text[:longest].strip()
    return _UNFIT.sub(" ", text)[:longest].strip()


def listed(names: Sequence[str], longest: int) -> str:
    """Return as many *names* as fit, and count the rest: ``INV-1, INV-2 +5``."""
    text, count = ", ".join(names), len(names)
    while len(text) > longest and count > 1:
        count -= 1
        text = f"{', '.join(names[:count])} +{len(names) - count}"
    return text[:longest]


def short_key(key: str, step: str, longest: int) -> str:
    """Return the idempotency key of the request *step*; a digest of it if it would be too long."""
    whole = step_key(key, step)
    return whole if len(whole) <= longest else digest_key(key, step)[:longest]
