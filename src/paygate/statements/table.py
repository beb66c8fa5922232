"""Bank exports as a table (CSV), by a column map that is given and never guessed."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO, Final

from paygate.domain.bank_statement import (
    BankEntry,
    EntryMeaning,
    StatementEnd,
    StatementFormat,
    StatementHead,
)
from paygate.domain.creditor_reference import read_reference
from paygate.errors import InvalidValue
from paygate.printing import shown
from paygate.statements.meanings import text_meaning
from paygate.statements.refusing import Unreadable, minor_of, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from paygate.domain.bank_statement import StatementPart

COLUMNS: Final = (
    "booked",
    "value",
    "amount",
    "debit",
    "credit",
    "balance",
    "currency",
    "account",
    "text",
    "info",
    "party",
    "party_account",
    "check",
    "end_to_end",
    "reference",
    "line_id",
    "status",
)
"""What a column of an export can be."""
_NUMBER: Final = re.compile(r"([+-]?)([0-9]+(?:\.[0-9]*)?)([+-]?)", re.ASCII)
_NOT_GIVEN: Final = frozenset({"NOTPROVIDED", "NONREF"})
_IN_PROSE: Final = re.compile(r"\bRF[0-9]{2}[0-9A-Z]{1,21}\b", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnMap:
    """
    How a bank writes its exports.

    *columns* names the header of each column, such as ``{"booked": "Date", "amount": "Amount"}``.
    Money is in *amount* with a sign, or in *debit* and *credit* without one. *booked_words* are the
    values of *status* that mean booked; without them every row is. *account* and *currency* are
    needed unless columns have them. The header of a file must have exactly the named columns, and
    others only if *other_columns* is true.
    """

    columns: Mapping[str, str]
    date_format: str = "%Y-%m-%d"
    decimal: str = "."
    thousands: str = ""
    delimiter: str = ","
    encoding: str = "utf-8"
    skip_lines: int = 0
    account: str = ""
    currency: str = ""
    booked_words: tuple[str, ...] = field(default=())
    other_columns: bool = True

    def __post_init__(self) -> None:
        unknown = [name for name in self.columns if name not in COLUMNS]
        if unknown:
            raise InvalidValue(
                f"there is no column {shown(unknown[0])}; columns are {', '.join(COLUMNS)}",
                argument="columns",
            )
        if "booked" not in self.columns or not {"amount", "debit", "credit"} & set(self.columns):
            raise InvalidValue(
                "name at least the columns booked and amount, or booked, debit and credit",
                argument="columns",
            )
        if self.decimal == self.thousands:
            raise InvalidValue(
                "decimal and thousands must be different characters", argument="thousands"
            )


def read_table(source: BinaryIO, columns: ColumnMap) -> Iterator[StatementPart]:
    """Yield the statement of a CSV file; raise `ImportRejected` if it cannot be read.

    Balances follow from a column of running balances, if there is one.
    """
    text = io.TextIOWrapper(source, encoding=columns.encoding, newline="")
    try:
        yield from _read(text, columns)
    finally:
        text.detach()


def _read(text: io.TextIOWrapper, columns: ColumnMap) -> Iterator[StatementPart]:
    reader = csv.reader(text, strict=True, delimiter=columns.delimiter)
    state = _State(columns)
    line = 0
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader, None)
        except csv.Error as error:
            raise unreadable(line, f"the row is not CSV: {error}") from None
        except UnicodeError:
            raise unreadable(
                line, f"this is not {columns.encoding.upper()} text; name its encoding"
            ) from None
        if record is None:
            break
        if line <= columns.skip_lines or not any(each.strip() for each in record):
            continue
        try:
            yield from state.read([each.strip() for each in record])
        except Unreadable as error:
            raise unreadable(line, str(error)) from None
    try:
        yield from state.end()
    except Unreadable as error:
        raise unreadable(line, str(error)) from None


class _State:
    """The state between the rows of a file."""

    def __init__(self, columns: ColumnMap) -> None:
        self._map = columns
        self._names: list[str] = []
        self._head: StatementHead | None = None
        self._first: tuple[date, int, int] | None = None
        self._last: tuple[date, int, int] | None = None

    def read(self, record: list[str]) -> Iterator[StatementPart]:
        """Yield the entry of a row, after the head."""
        if not self._names:
            self._header(record)
            return
        if len(record) != len(self._names):
            raise Unreadable(
                f"the row has {len(record)} fields, the first line names {len(self._names)}"
            )
        row = dict(zip(self._names, record, strict=True))
        cells = {name: row[header] for name, header in self._map.columns.items()}
        account = cells.get("account") or self._map.account
        currency = cells.get("currency") or self._map.currency
        if self._head is None:
            self._head = StatementHead(
                format=StatementFormat.CSV, account=account, currency=currency
            )
            if not account or not currency:
                raise Unreadable("the column map names neither the account nor the currency")
            yield self._head
        elif (account, currency) != (self._head.account, self._head.currency):
            raise Unreadable(
                f"it is of account {shown(account)} in {shown(currency)}, the first row of "
                f"{shown(self._head.account)} in {self._head.currency}"
            )
        yield self._entry(cells, currency)

    def end(self) -> Iterator[StatementPart]:
        """Yield the end of the statement, with the balances that the rows imply."""
        if self._head is None:
            raise Unreadable("the file has no entry")
        opening = closing = on = None
        if self._first is not None and self._last is not None:
            ordered = self._first, self._last
            if self._first[0] > self._last[0]:  # some banks write the newest row first
                ordered = self._last, self._first
            opening = ordered[0][2] - ordered[0][1]
            closing, on = ordered[1][2], ordered[1][0]
        yield StatementEnd(opening_minor=opening, closing_minor=closing, on=on)

    def _header(self, record: list[str]) -> None:
        names = [each.removeprefix("\ufeff") for each in record]
        missing = [each for each in self._map.columns.values() if each not in names]
        if missing:
            raise Unreadable(
                f"the first line does not name {shown(missing[0])}; the bank may have changed its "
                "export, so check the column map"
            )
        if len(set(names)) < len(names):
            raise Unreadable("the first line names a column twice")
        if not self._map.other_columns and len(names) > len(self._map.columns):
            raise Unreadable("the first line names columns that the column map does not have")
        self._names = names

    def _entry(self, cells: dict[str, str], currency: str) -> BankEntry:
        minor = self._amount(cells, currency)
        booked = self._day(cells["booked"])
        texts = [cells.get(name, "") for name in ("info", "text")]
        balance = cells.get("balance", "")
        if balance:
            seen = booked, minor, self._number(balance, currency)
            self._first = self._first or seen
            self._last = seen
        end_to_end = cells.get("end_to_end", "")
        told = "\n".join(each for each in texts if each)
        reference = cells.get("reference", "") or _reference_in(told)
        return BankEntry(
            amount_minor=minor,
            total_minor=minor,
            booked=booked,
            value=self._day(cells["value"]) if cells.get("value") else None,
            meaning=_meaning(texts, comes_in=minor > 0, check=cells.get("check", "")),
            code=cells.get("info", ""),
            line_id=cells.get("line_id", ""),
            end_to_end="" if end_to_end in _NOT_GIVEN else end_to_end,
            reference=reference,
            check=cells.get("check", ""),
            party=cells.get("party", ""),
            party_account=cells.get("party_account", ""),
            text=cells.get("text", "") or cells.get("info", ""),
            is_booked=not self._map.booked_words or cells.get("status") in self._map.booked_words,
        )

    def _amount(self, cells: dict[str, str], currency: str) -> int:
        if "amount" in self._map.columns:
            return self._number(cells["amount"], currency)
        credit, debit = cells.get("credit", ""), cells.get("debit", "")
        if bool(credit) == bool(debit):
            raise Unreadable("the row must have a debit or a credit, and not both")
        # Some banks write a minus in the column of debits.
        return self._number(credit, currency) if credit else -abs(self._number(debit, currency))

    def _number(self, text: str, currency: str) -> int:
        plain = text.replace(" ", "").replace("\u00a0", "")
        if self._map.thousands:
            whole, mark, digits = plain.partition(self._map.decimal)
            groups = whole.lstrip("+-").split(self._map.thousands)
            if any(len(each) != 3 for each in groups[1:]):
                raise Unreadable(
                    f"{shown(text)} is not an amount with {shown(self._map.thousands)} between "
                    "thousands"
                )
            plain = whole.replace(self._map.thousands, "") + mark + digits
        found = _NUMBER.fullmatch(plain.replace(self._map.decimal, "."))
        if found is None or (found[1] and found[3]):
            raise Unreadable(f"{shown(text)} is not an amount")
        minor = minor_of(found[2], currency)
        return -minor if "-" in (found[1], found[3]) else minor

    def _day(self, text: str) -> date:
        try:
            return datetime.strptime(text, self._map.date_format).date()  # noqa: DTZ007  (a day)
        except ValueError:
            raise Unreadable(
                f"{shown(text)} is not a date of the form {self._map.date_format}"
            ) from None


def _meaning(texts: Sequence[str], *, comes_in: bool, check: str) -> EntryMeaning:
    """Return the meaning of a row: by the bank's own words, and by the whole text without them."""
    meanings = [text_meaning(each, comes_in=comes_in, check=check) for each in texts if each]
    return next((each for each in meanings if each is not EntryMeaning.OTHER), EntryMeaning.OTHER)


def _reference_in(text: str) -> str:
    """Return the first structured reference in prose, if its check digits are right."""
    for found in _IN_PROSE.finditer(text):
        reference = read_reference(found[0])
        if reference is not None:
            return reference
    return ""
