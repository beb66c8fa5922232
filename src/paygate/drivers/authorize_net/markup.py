"""XML as Authorize.Net speaks it: written in the order of its schema, read without surprises.

Of the two formats of this interface XML is the one that can be proved: the
processor's own schema checks, byte for byte, what we send and what it answers.
Both formats want the order of that schema.

What is read is UTF-8, perhaps behind a byte order mark, and has no document
type: without one XML has no entities but its own five, so nothing expands and
nothing is fetched.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, ParseError, fromstring

from paygate.driver import BadResponse

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMESPACE: Final = "AnetApi/xml/v1/schema/AnetApiSchema.xsd"
"""The namespace, which is a relative address and meant so."""

TEXT_MAX: Final = 500

_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


# --- Written ------------------------------------------------------------------------


def leaf(name: str, text: str) -> str:
    """Write an element with *text* in it; nothing where there is no text."""
    return f"<{name}>{text.translate(_ESCAPES)}</{name}>" if text else ""


def node(name: str, *children: str) -> str:
    """Write an element around *children*, which are written already; nothing around nothing."""
    inner = "".join(children)
    return f"<{name}>{inner}</{name}>" if inner else ""


def document(root: str, *children: str) -> bytes:
    """Write a whole request."""
    inner = "".join(children)
    return (
        f'<?xml version="1.0" encoding="utf-8"?><{root} xmlns="{NAMESPACE}">{inner}</{root}>'
    ).encode()


# --- Read -----------------------------------------------------------------------------


def read(body: bytes) -> Element:
    """Read an answer, or raise `BadResponse`; the error never quotes the body."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadResponse(f"{len(body)} bytes that are no UTF-8") from None
    if "<!DOCTYPE" in text:
        raise BadResponse("an answer with a document type, which Authorize.Net never sends")
    try:
        # It is text by now, so that no declaration in it can name another encoding.
        return fromstring(text)  # noqa: S314  (there is no document type, so there are no entities)
    except (ParseError, ValueError):
        raise BadResponse(f"expected XML, got {len(body)} other bytes") from None


def name_of(element: Element) -> str:
    """Tell the name of an element of Authorize.Net's; empty for one of anybody else."""
    namespace, _, name = element.tag.rpartition("}")
    return name if namespace == f"{{{NAMESPACE}" else ""


def find(element: Element | None, path: str) -> Element | None:
    """Look for one element inside of another."""
    return None if element is None else element.find(_path(path))


def each(element: Element | None, path: str) -> Iterator[Element]:
    """Look for all elements of that path."""
    if element is not None:
        yield from element.iterfind(_path(path))


def text(element: Element | None, path: str) -> str:
    """Read a text that may be missing, no longer than a store wants it."""
    found = find(element, path)
    return "" if found is None else (found.text or "").strip()[:TEXT_MAX]


def long_text(element: Element | None, path: str) -> str:
    """Read a text that is passed on and must not be cut."""
    found = find(element, path)
    return "" if found is None else (found.text or "").strip()


@lru_cache(maxsize=256)
def _path(path: str) -> str:
    return "/".join(f"{{{NAMESPACE}}}{name}" for name in path.split("/"))
