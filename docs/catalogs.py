"""The catalogs of the payment pages: ``python docs/catalogs.py`` writes new messages into them.

A new message has no translation, and a test fails until it has one in every language. Messages that
are no longer used are removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import cast

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

WEB = Path(__file__).parent.parent / "src" / "paygate" / "web"
LOCALE = WEB / "locale"
_HEADER = "# The texts of the payment pages; a native speaker should review them.\n"
# The functions of `paygate.web.texts`, and the one of the templates.
_KEYWORDS = {"_": None, "text": None, "message": None, "several": (1, 2)}
_METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2.ext:babel_extract")]
_CHANGING = re.compile(
    rb'"(?:Project-Id|Report-Msgid|POT-Creation|PO-Revision|Last-Translator|Language-Team|Generated)'
)
_PLACE = re.compile(r"\{(\w+)\}")


def messages() -> Iterator[tuple[str, str | tuple[str, ...]]]:
    """Yield the file and the English text of each message of the pages."""
    found = extract_from_dir(
        WEB,
        method_map=_METHODS,
        options_map={},
        keywords=_KEYWORDS,
        comment_tags=(),
        callback=None,
        strip_comment_tags=False,
    )
    for file, _, english, _, _ in found:
        yield file, english


def catalog(language: str) -> Catalog:
    """Return the catalog of *language* as it is in its file."""
    return read_po(BytesIO((LOCALE / f"{language}.po").read_bytes()), locale=language)


def places(english: str) -> set[str]:
    """Return the names of the values of a message."""
    return set(_PLACE.findall(english))


def forms(message: Message) -> tuple[str, ...]:
    """Return the translations of *message*, one for each plural form of the language."""
    string = cast("str | tuple[str, ...]", message.string)
    return (string,) if isinstance(string, str) else tuple(string)


def renewed(language: str) -> Catalog:
    """Return the catalog of *language* with exactly the messages that the pages have."""
    old = catalog(language)
    new = Catalog(locale=language, fuzzy=False, header_comment=_HEADER.rstrip())
    for _, english in sorted(messages(), key=lambda each: str(each[1])):
        known = old.get(english if isinstance(english, str) else english[0])
        new.add(english, known.string if known else None)
    return new


def written(new: Catalog) -> bytes:
    """Return the file of a catalog, without the dates and tools that change with every run."""
    file = BytesIO()
    write_po(file, new, width=0, include_lineno=False)
    return b"".join(
        line for line in file.getvalue().splitlines(keepends=True) if not _CHANGING.match(line)
    )


def main() -> None:
    """Write the catalogs."""
    for file in sorted(LOCALE.glob("*.po")):
        file.write_bytes(written(renewed(file.stem)))


if __name__ == "__main__":
    main()
