"""Reads a page: its elements, its visible text, and what it would load."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser

from typing_extensions import override

VOID = {"meta", "link", "input", "img", "br", "path"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    children: list[Element | str] = field(default_factory=list["Element | str"])

    @property
    def text(self) -> str:
        """The text inside, with one space between words, without style and script."""
        if self.tag in ("style", "script", "svg"):
            return ""
        parts = (each if isinstance(each, str) else each.text for each in self.children)
        return " ".join("".join(parts).split())

    def all(self, tag: str = "", **attributes: str) -> Iterator[Element]:
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        for each in self.children:
            if isinstance(each, Element):
                if tag in ("", each.tag) and wanted.items() <= each.attributes.items():
                    yield each
                yield from each.all(tag, **attributes)

    def one(self, tag: str = "", **attributes: str) -> Element:
        [found] = self.all(tag, **attributes)
        return found


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("root", {})
        self.open = [self.root]

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, dict(attrs)))

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    @override
    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


@cache
def read(html: str) -> Element:
    """Return the elements of a page, each of which is closed where it should be."""
    builder = _Builder()
    builder.feed(html)
    builder.close()
    assert builder.open == [builder.root]
    return builder.root


def without_codes(html: str) -> str:
    """Return a page without its QR codes and barcodes."""
    return re.sub(r'<svg viewBox="0 0 \d+ \d+"[^>]*><path stroke="#000"[^>]*></svg>', "", html)
