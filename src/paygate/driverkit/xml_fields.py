"""XML bodies, read without surprises.

A body must be UTF-8, perhaps with a byte order mark, and must not have a document type: without
one, XML has only its five built-in entities, so nothing is expanded and nothing is fetched.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, ParseError, fromstring

from typing_extensions import override

from paygate.dialogue import BODY_BYTES_MAX
from paygate.driverkit.bodies import body_of, unreadable
from paygate.driverkit.fields import REQUIRED, Fields, Missing
from paygate.errors import BadResponse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.dialogue import Response

DEPTH_MAX: Final = 100
"""How deeply elements may be nested."""


class XmlFields(Fields):
    """The elements and attributes inside one element; an attribute's path ends in ``@name``.

    Only elements of *namespace* are seen. The text of the element itself is at the empty path. A
    list is all elements at one path, and may be empty.
    """

    __slots__ = ("_element", "_namespace")

    textual = True

    def __init__(
        self, element: Element | None, by: str, path: str = "", namespace: str = ""
    ) -> None:
        super().__init__(element, by, path)
        self._element, self._namespace = element, namespace

    @property
    def name(self) -> str:
        """The name of the element; empty for one of another namespace."""
        element = self._element
        if element is None:
            return ""
        namespace, _, name = element.tag.rpartition("}")
        return name if namespace.removeprefix("{") == self._namespace else ""

    @override
    def at(self, path: str) -> XmlFields:
        return self._of(self._look(path), self._joined(path))

    @override
    def each(self, path: str = "", default: Sequence[Fields] | Missing = REQUIRED) -> list[Fields]:
        element = self._element
        found = [] if element is None else element.findall(_path(path, self._namespace))
        return [self._of(each, self._joined(path)) for each in found]

    @override
    def texts(self, path: str = "") -> list[str]:
        return [each.text("", "") for each in self.each(path)]

    @override
    def __contains__(self, path: str) -> bool:
        return self._find(path) is not None

    @override
    def _find(self, path: str) -> object:
        names, is_attribute, attribute = path.partition("@")
        found = self._look(names.rstrip("."))
        if found is None:
            return None
        if is_attribute:
            return found.get(attribute)
        return found if len(found) else (found.text or "").strip()

    def _look(self, path: str) -> Element | None:
        element = self._element
        if element is None or not path:
            return element
        return element.find(_path(path, self._namespace))

    def _of(self, element: Element | None, path: str) -> XmlFields:
        return XmlFields(element, self._by, path, self._namespace)


def read_xml(
    source: Response | bytes, by: str, *, namespace: str = "", bytes_max: int = BODY_BYTES_MAX
) -> XmlFields:
    """Return the contents of the root, or raise `BadResponse`, which never quotes the body."""
    body = body_of(source, by, "XML", bytes_max)
    try:
        text = body.decode("utf-8-sig")
        if "<!DOCTYPE" in text:
            raise BadResponse(f"{by}: a response with a document type is not accepted")
        # It is text already, so a declaration in it cannot change the encoding.
        root = fromstring(text)  # noqa: S314  (there is no document type, so there are no entities)
    except (ParseError, ValueError):
        raise unreadable(source, by, "XML") from None
    if _deeper(root, DEPTH_MAX):
        raise BadResponse(f"{by}: elements are nested more than {DEPTH_MAX} deep")
    return XmlFields(root, by, "", namespace)


def _deeper(root: Element, depth: int) -> bool:
    level = [root]
    for _ in range(depth):
        level = [child for element in level for child in element]
    return bool(level)


@lru_cache(maxsize=512)
def _path(path: str, namespace: str) -> str:
    names = path.split(".")
    return "/".join(f"{{{namespace}}}{name}" if namespace else name for name in names)
