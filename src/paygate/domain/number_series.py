"""Series of invoice numbers: 1, 2, 3 … without a gap, in a format of the host's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from paygate.domain.text import IDS, identifier
from paygate.errors import InvalidValue
from paygate.printing import shown

if TYPE_CHECKING:
    from datetime import date

_NAME_MAX: Final = 50
_FORMAT_MAX: Final = 60
_PART: Final = re.compile(r"\{(?P<name>[a-z]+)(?::0(?P<digits>[1-9]))?\}|\{|\}")
_PARTS: Final = ("year", "month", "n")


@dataclass(frozen=True, slots=True)
class NumberSeries:
    """
    A series of invoice numbers that has no gap: ``NumberSeries("sales", "INV-{year}-{n:05}")``.

    ``{n}`` counts 1, 2, 3 … in the transaction that finalizes the invoice, and ``{n:05}`` writes
    at least five digits. ``{year}`` and ``{month}`` are those of the date of issue, and the count
    begins again with each of them; without either it goes on permanently. A voided invoice keeps
    its number. Two series need formats that cannot write the same number.
    """

    name: str = "invoices"
    format: str = "INV-{year}-{n:05}"

    def __post_init__(self) -> None:
        identifier(self.name, "series", length_max=_NAME_MAX)
        given = cast("object", self.format)
        if not isinstance(given, str) or len(given) > _FORMAT_MAX or not given.isprintable():
            raise InvalidValue(
                f"the format of a series is printable text of at most {_FORMAT_MAX} characters, "
                "such as INV-{year}-{n:05}",
                argument="series",
            )
        if self.format.startswith(IDS):
            raise InvalidValue(
                f"the numbers of a series cannot begin with {' or '.join(IDS)}, as ids do",
                argument="series",
            )
        found = [match["name"] for match in _PART.finditer(self.format)]
        if found.count("n") != 1 or any(each not in _PARTS for each in found):
            raise InvalidValue(
                f"the format {shown(self.format)} must have {{n}} once, and otherwise only "
                "{year} and {month}",
                argument="series",
            )
        if "month" in found and "year" not in found:
            raise InvalidValue(
                f"the format {shown(self.format)} would write the same number every year; "
                "add {year}",
                argument="series",
            )
        if re.search(r"[\d}]\{n|\{n(?::0\d)?\}[\d{]", self.format):
            raise InvalidValue(
                f"in the format {shown(self.format)} a digit is next to the count; put a "
                "letter or a hyphen between them, so that no number can be read in two ways",
                argument="series",
            )

    def period(self, on: date) -> str:
        """Return the period of the count in which *on* is: a year, a month, or empty."""
        if "{month" in self.format:
            return f"{on:%Y-%m}"
        return f"{on:%Y}" if "{year" in self.format else ""

    def number(self, n: int, on: date) -> str:
        """Return the number with the count *n* for an invoice issued *on* a date."""
        values = {"n": n, "year": on.year, "month": on.month}
        least = {"n": 1, "year": 4, "month": 2}

        def written(match: re.Match[str]) -> str:
            name = match["name"]
            return str(values[name]).zfill(int(match["digits"] or least[name]))

        return _PART.sub(written, self.format)
