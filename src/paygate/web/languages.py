"""Languages: the catalogs of the pages, and how amounts, dates and numbers are written.

The texts come from gettext catalogs (`locale/*.po`), which are compiled when a language is first
used; everything else comes from CLDR by Babel. Digits are Latin in every language, so that an
amount on the page looks like the amount at the bank.

A text may contain anything that a merchant or customer wrote. In HTML each value is escaped and put
into ``<bdi>``, so that a name in one script cannot turn around the words next to it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from gettext import GNUTranslations
from importlib import resources
from io import BytesIO
from typing import TYPE_CHECKING, Final

from paygate.domain.customer import zone_of
from paygate.domain.money import Money
from paygate.web.texts import Text, TimeOfDay

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from babel import Locale
    from markupsafe import Markup

    from paygate.web.texts import Value

LANGUAGES: Final[Mapping[str, str]] = {
    "en": "en_US",
    "es": "es",
    "de": "de",
    "fr": "fr",
    "ar": "ar",
}
"""The languages of the pages, and the CLDR locale that each is written by."""

FALLBACK: Final = "en"

# Marks that change the direction of what follows: a page has elements for that.
_DIRECTIONS: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_PLACE: Final = re.compile(r"\{(\w+)\}")
_ISOLATED: Final = "\u2068{}\u2069"
_ACCEPTED_MAX: Final = 20


def cleaned(foreign: str) -> str:
    """Return *foreign* text without control characters and without marks of direction."""
    kept = _DIRECTIONS.sub("", foreign)
    if kept.isprintable():
        return kept
    spaced = ("".join(" " if each.isspace() else each for each in kept)).strip()
    return "".join(each for each in spaced if _shown(each))


def _shown(character: str) -> bool:
    """Return whether a page may contain *character*: not a control and not a noncharacter."""
    point = ord(character)
    nothing = 0xFDD0 <= point <= 0xFDEF or point & 0xFFFE == 0xFFFE
    return not nothing and unicodedata.category(character) not in ("Cc", "Cs")


@dataclass(frozen=True, slots=True)
class Language:
    """One language, for readers in one time zone."""

    code: str
    zone: tzinfo = UTC

    @property
    def locale(self) -> Locale:
        """The CLDR locale."""
        return _locale(self.code)

    @property
    def right_to_left(self) -> bool:
        """Whether it is written from right to left."""
        return self.locale.text_direction == "rtl"

    def html(self, text: Text) -> Markup:
        """Return *text* as HTML, each of its values escaped and isolated."""
        from markupsafe import Markup, escape

        def shown(value: Value) -> str:
            if isinstance(value, Text):
                return self.html(value)
            if isinstance(value, int | date | timedelta | TimeOfDay):
                return escape(self.value(value))
            tag = '<bdi class="m">{}</bdi>' if isinstance(value, Money) else "<bdi>{}</bdi>"
            return Markup(tag).format(self.value(value))  # noqa: S704  (a constant of ours)

        pattern = str(escape(self._translated(text)))
        return Markup(self._filled(pattern, text, shown))  # noqa: S704  (each part is escaped)

    def plain(self, text: Text) -> str:
        """Return *text* without markup, for a title or an attribute."""
        isolated = _ISOLATED.format if self.right_to_left else str

        def shown(value: Value) -> str:
            if isinstance(value, Text):
                return self.plain(value)
            written = self.value(value)
            return isolated(written) if isinstance(value, str | Money) else written

        return self._filled(self._translated(text), text, shown)

    def value(self, value: Value) -> str:
        """Return *value* as readers of this language write it."""
        match value:
            case Text():
                return self.plain(value)
            case Money():
                return self._money(value)
            case TimeOfDay():
                return self._time_of_day(value.at)
            case datetime():
                return f"{self._date(self._local(value))}, {self._time_of_day(value)}"
            case date():
                return self._date(value)
            case timedelta():
                return self._duration(value)
            case int():
                return str(value)
            case str():
                return cleaned(value)

    def local_date(self, at: datetime) -> date:
        """Return the date at *at* in the zone of the reader."""
        return self._local(at).date()

    def _local(self, at: datetime) -> datetime:
        return at.astimezone(self.zone)

    def _money(self, amount: Money) -> str:
        from babel.numbers import get_currency_symbol

        written = amount.format(str(self.locale))
        if not self.right_to_left:
            return written
        # Without marks around it, "US$" next to a number is shown as "$US".
        symbol = get_currency_symbol(amount.currency, self.locale)
        return written.replace(symbol, f"\u200e{symbol}\u200e")

    def _date(self, value: date) -> str:
        from babel.dates import format_date

        # Its format of numbers has marks of direction, which an isolated value does not need.
        form = "d MMM y" if self.right_to_left else "medium"
        return format_date(value, form, locale=self.locale)

    def _time_of_day(self, at: datetime) -> str:
        from babel.dates import format_time

        local = self._local(at)
        return f"{format_time(local, 'short', locale=self.locale)} ({local.tzname()})"

    def _duration(self, value: timedelta) -> str:
        from babel.dates import format_timedelta

        return format_timedelta(value, threshold=1.5, locale=self.locale)

    def _translated(self, text: Text) -> str:
        catalog = _catalog(self.code)
        if catalog is None:
            return text.plural if text.plural and text.count != 1 else text.message
        if text.plural:
            return catalog.ngettext(text.message, text.plural, text.count)
        return catalog.gettext(text.message)

    @staticmethod
    def _filled(pattern: str, text: Text, shown: Callable[[Value], str]) -> str:
        return _PLACE.sub(lambda place: shown(text.values[place[1]]), pattern)


def language(code: str, zone: str = "UTC") -> Language:
    """Return the language *code*, or English if the pages do not have it.

    Raises `InvalidValue` if *zone* is not an IANA time zone name.
    """
    return Language(code if code in LANGUAGES else FALLBACK, zone_of(zone))


def accepted(header: str, offered: Sequence[str] = tuple(LANGUAGES)) -> str:
    """Return the offered language that an ``Accept-Language`` header prefers, or the first."""
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate(header.split(",")[:_ACCEPTED_MAX]):
        tag, _, quality = part.partition(";")
        primary = tag.strip().lower().partition("-")[0]
        weight = _weight(quality)
        if weight > 0 and primary in offered:
            wanted.append((-weight, place, primary))
    return min(wanted)[2] if wanted else offered[0]


def _weight(parameter: str) -> float:
    name, _, number = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(max(float(number), 0.0), 1.0)
    except ValueError:
        return 0.0


@cache
def _locale(code: str) -> Locale:
    from babel import Locale

    return Locale.parse(LANGUAGES[code])


@cache
def _catalog(code: str) -> GNUTranslations | None:
    """Return the compiled catalog of *code*; English needs no catalog."""
    if code == FALLBACK:
        return None
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    source = resources.files("paygate.web") / "locale" / f"{code}.po"
    compiled = BytesIO()
    write_mo(compiled, read_po(BytesIO(source.read_bytes()), locale=code))
    compiled.seek(0)
    return GNUTranslations(compiled)
