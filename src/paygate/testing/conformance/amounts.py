"""amounts.txt: how the processor writes amounts, for each scale of currency that it takes.

A row is an amount, and how the request states it or ``refused``::

    USD 19.99   "cents": 1999
    USD 1.15    "cents": 115
    JPY 500     "cents": 500
    KWD 1.234   refused

Some of the amounts with decimal places must be such that a calculation with floats loses
a minor unit: ``int(19.99 * 100)`` is 1998, while 10.99 comes out right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from paygate.driver import SCALES, Money, UsageError
from paygate.testing.conformance.transcripts import TranscriptError

if TYPE_CHECKING:
    from pathlib import Path

    from paygate.driver import Rail

FRAGILE: Final = {2: ("19.99", "1.15", "0.29", "4.35"), 3: ("1.001", "1.005")}
"""Amounts that lose a minor unit if calculated with floats, by number of decimal places."""

FRAGILE_ROWS: Final = 2
"""How many of them a file needs for currencies with two decimal places."""

_ROW: Final = re.compile(r"([A-Z]{3}) +([0-9.]+) +(\S.*?) *")


@dataclass(frozen=True, slots=True)
class AmountRow:
    """One row: an amount, and how it is written, which is empty if it is refused."""

    money: Money
    written: str

    @property
    def refused(self) -> bool:
        """Return whether the driver must refuse the amount."""
        return not self.written

    @property
    def fragile(self) -> bool:
        """Return whether a calculation with floats loses a minor unit."""
        scale = SCALES[self.money.currency]
        return int(float(self.money.decimal) * 10**scale) != self.money.minor


def read_amounts(path: Path, rail: Rail) -> list[AmountRow]:
    """Return the rows; each scale of the rail's currencies needs a row that is not refused."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise TranscriptError(
            f"{path}: this file does not exist. Create it with a row for each scale of currency, "
            "such as 'USD 19.99   \"cents\": 1999' or 'KWD 1.234   refused'",
            file=str(path),
            lacks="amounts",
        ) from None
    rows: list[AmountRow] = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        rows.append(_row(path, number, line))
    _require_scales(path, rail, rows)
    _require_fragile(path, rows)
    return rows


def _row(path: Path, number: int, line: str) -> AmountRow:
    row = _ROW.fullmatch(line)
    problem = "expected 'USD 19.99   how it is written' or 'USD 19.99   refused'"
    if row is not None:
        try:
            return AmountRow(Money.of(row[1], row[2]), "" if row[3] == "refused" else row[3])
        except UsageError as error:
            problem = error.message
    raise TranscriptError(f"{path}, line {number}: {problem}", file=str(path), line=number)


def _require_scales(path: Path, rail: Rail, rows: list[AmountRow]) -> None:
    wanted = {SCALES[each] for each in rail.currencies or () if each in SCALES}
    lacking = wanted - {SCALES[row.money.currency] for row in rows if not row.refused}
    if lacking or not rows:
        digits = ", ".join(str(scale) for scale in sorted(lacking)) or "any number of"
        raise TranscriptError(
            f"{path}: no amount with {digits} decimal places, although the traits name such a "
            "currency; add a row",
            file=str(path),
            lacks="amounts",
        )


def _require_fragile(path: Path, rows: list[AmountRow]) -> None:
    taken = [row for row in rows if not row.refused]
    there = sum(row.fragile for row in taken)
    if any(SCALES[row.money.currency] == 2 for row in taken) and there < FRAGILE_ROWS:
        raise TranscriptError(
            f"{path}: an amount such as 10.99 comes out right even if calculated with floats; add "
            f"at least {FRAGILE_ROWS} rows of {', '.join(FRAGILE[2])}",
            file=str(path),
            lacks="amounts",
        )


def stands_in(written: str, text: str) -> bool:
    """Return whether *text* contains *written*, and not as part of a longer number or word."""
    before = r"(?<![0-9A-Za-z._])" if written[0].isalnum() else ""
    after = r"(?![0-9A-Za-z._])" if written[-1].isalnum() else ""
    return re.search(f"{before}{re.escape(written)}{after}", text) is not None
