"""What an invoice says besides its total: lines and tax, and its place in a series of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from paygate.domain.invoice_lines import NO_TEXT, InvoiceText, read_text, write_lines, write_tax
from paygate.ledger import checksums, keys

if TYPE_CHECKING:
    from datetime import date

    from paygate.domain.number_series import NumberSeries
    from paygate.ledger.tx import Tx

_INSERT = """
INSERT INTO paygate_invoice (
  item, tenant, lines, tax, rounding, series, period, place, letterhead, key, checksum)
VALUES (
  :item, :tenant, :lines, :tax, :rounding, :series, :period, :place, :letterhead, :key, :checksum)
ON CONFLICT (item) DO UPDATE SET lines = :lines, tax = :tax, rounding = :rounding,
  series = :series, period = :period, place = :place, letterhead = :letterhead,
  checksum = :checksum
"""
_SELECT = """
SELECT i.currency, d.lines, d.tax, d.rounding, d.series, d.period, d.place, d.letterhead, d.key
FROM paygate_invoice d JOIN paygate_item i ON i.id = d.item WHERE d.item = :item
"""


@dataclass(frozen=True, slots=True)
class Place:
    """The place of an invoice in a series of numbers."""

    series: str
    period: str
    count: int


@dataclass(frozen=True, slots=True)
class Details:
    """What the ledger has of an invoice besides its amounts."""

    text: InvoiceText = NO_TEXT
    place: Place | None = None
    letterhead: int | None = None
    key: str = ""


NO_DETAILS: Final = Details()
"""The details of an invoice that has only a total and a number of the host's."""


def save(tx: Tx, item: str, details: Details) -> None:
    """Store the details of an invoice, or of a draft, whose details may change."""
    text, place = details.text, details.place
    params = {
        "item": item,
        "tenant": tx.tenant,
        "lines": write_lines(text),
        "tax": write_tax(text),
        "rounding": text.rounding.value,
        "series": "" if place is None else place.series,
        "period": "" if place is None else place.period,
        "place": None if place is None else place.count,
        "letterhead": details.letterhead,
        "key": details.key,
    }
    tx.execute(_INSERT, checksums.signed(checksums.INVOICE, params))


def of_item(tx: Tx, item: str) -> Details:
    """Return the details of an invoice."""
    row = tx.one(_SELECT, {"item": item})
    if row is None:
        return NO_DETAILS
    place = None
    if row["series"]:
        place = Place(row["series"], row["period"], row["place"])
    text = read_text(row["currency"], row["lines"], row["tax"], row["rounding"])
    return Details(text, place, row["letterhead"], row["key"])


def next_place(tx: Tx, series: NumberSeries, on: date) -> Place:
    """
    Return the next place in a series, without a gap: a rollback gives it back.

    The row of the count stays locked until the transaction ends, so others that want the next
    number wait: take it last.
    """
    period = series.period(on)
    return Place(series.name, period, keys.next_number(tx, sequence_of(series.name, period)))


def sequence_of(series: str, period: str) -> str:
    """Return the name of the sequence that counts a series in a period."""
    return f"invoice:{series}:{period}"
