"""MT940: the statement of SWIFT, as banks deliver it in files.

A file has messages; each has the fields ``:20:``, ``:25:`` (account), ``:28C:`` (number and page),
``:60F:`` or ``:60M:`` (opening balance), then ``:61:`` with ``:86:`` for each entry, and ``:62F:``
or ``:62M:`` (closing balance). In ``:61:``, ``RC`` is a credit that was undone, so money out, and
``RD`` a debit that was undone.
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, BinaryIO, Final

from paygate.domain.bank_statement import (
    BankEntry,
    EntryMeaning,
    StatementEnd,
    StatementFormat,
    StatementHead,
)
from paygate.printing import shown
from paygate.statements.information import Information, read_information
from paygate.statements.meanings import GVC, SWIFT_RETURNED, swift_meaning, text_meaning
from paygate.statements.refusing import Unreadable, lines_of, minor_of, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paygate.domain.bank_statement import StatementPart

_FIELD: Final = re.compile(r":([0-9]{2}[A-Z]?):(.*)", re.ASCII | re.DOTALL)
_BLOCK: Final = re.compile(r"\{[1235]:[^}]*\}|\{4:|-?\}", re.ASCII)
_ENTRY: Final = re.compile(
    r"(?P<value>[0-9]{6})(?P<booked>[0-9]{4})?(?P<mark>R?[CD])(?P<funds>[A-Z])?"
    r"(?P<amount>[0-9]+,[0-9]*)(?P<type>[A-Z][A-Z0-9]{3})(?P<references>.*)",
    re.ASCII,
)
_BALANCE: Final = re.compile(r"([CD])([0-9]{6})([A-Z]{3})([0-9]+,[0-9]*)", re.ASCII)
_CHARGES: Final = re.compile(r"/CHGS/([A-Z]{3})([0-9]+,[0-9]*)", re.ASCII)
_NOTHING: Final = frozenset({"", "NONREF", "NOTPROVIDED"})
_CENTURY: Final = 2000
_HALF_A_YEAR: Final = 183


def read_mt940(source: BinaryIO, encoding: str = "utf-8") -> Iterator[StatementPart]:
    """Yield the statements of an MT940 file; raise `ImportRejected` if it cannot be read."""
    reader = _Reader()
    line = 1
    for line, name, text in _fields(source, encoding):
        try:
            yield from reader.read(name, text)
        except Unreadable as error:
            raise unreadable(line, str(error)) from None
    if reader.is_open:
        raise unreadable(line, "the file ends before the closing balance of its last statement")
    if not reader.statements:
        raise unreadable(line, "the file has no statement")


def _fields(source: BinaryIO, encoding: str) -> Iterator[tuple[int, str, str]]:
    """Yield each field with its line; the lines of one field are separated by a line end."""
    name, first, text = "", 0, list[str]()
    for number, raw in lines_of(source, encoding):
        line = _BLOCK.sub("", raw).rstrip() if raw.startswith(("{", "-}")) else raw.rstrip()
        found = _FIELD.match(line)
        if found is None and (not line or line == "-"):
            if line == "-" and name:
                yield first, name, "\n".join(text)
                name, text = "", []
            continue
        if found is None:
            if not name:
                raise unreadable(number, f"{shown(line)} is not a field of MT940")
            text.append(line)
            continue
        if name:
            yield first, name, "\n".join(text)
        name, first, text = found[1], number, [found[2]]
    if name:
        yield first, name, "\n".join(text)


class _Reader:
    """The state between the fields of a file."""

    def __init__(self) -> None:
        self.statements = 0
        self._id = self._account = self._number = self._page = ""
        self._head: StatementHead | None = None
        self._entry: re.Match[str] | None = None
        self._more = ""
        self._ended = True

    @property
    def is_open(self) -> bool:
        """Whether a statement has begun and not ended."""
        return self._entry is not None or not self._ended

    def read(self, name: str, text: str) -> Iterator[StatementPart]:
        """Yield what *name* completes."""
        if name != "86" and self._entry is not None:
            yield self._entry_of("")
        match name:
            case "20":
                if self.is_open:
                    raise Unreadable("a statement begins before the one before it has ended")
                self._ended = False
                self._id, self._account, self._number, self._page = text.strip(), "", "", ""
                self._head = None
            case "25":
                self._account = text.strip()
            case "28C" | "28":
                self._number, _, self._page = text.strip().partition("/")
            case "60F" | "60M":
                yield self._begin(text)
            case "61":
                self._need_head("an entry")
                first, _, self._more = text.partition("\n")
                self._entry = _ENTRY.fullmatch(first)
                if self._entry is None:
                    raise Unreadable(f"{shown(first)} is not an entry of field 61")
            case "86":
                if self._entry is not None:
                    yield self._entry_of(text)
            case "62F" | "62M":
                head = self._need_head("a closing balance")
                minor, on, _ = _balance(text, head.currency)
                self._ended = True
                self.statements += 1
                yield StatementEnd(
                    opening_minor=head.opening_minor,
                    closing_minor=minor,
                    on=on,
                    is_last_page=name == "62F",
                )
            case _:
                pass

    def _need_head(self, what: str) -> StatementHead:
        if self._head is None or self._ended:
            raise Unreadable(f"{what} comes before the opening balance of its statement")
        return self._head

    def _begin(self, text: str) -> StatementHead:
        if self._ended or not self._account:
            raise Unreadable("an opening balance comes before the account of its statement")
        minor, on, currency = _balance(text, "")
        self._head = StatementHead(
            format=StatementFormat.MT940,
            account=self._account,
            currency=currency,
            id=self._id,
            number=self._number,
            page=self._page,
            on=on,
            opening_minor=minor,
        )
        return self._head

    def _entry_of(self, text: str) -> BankEntry:
        found, head = self._entry, self._head
        if found is None or head is None:
            raise Unreadable("an entry has no beginning")
        self._entry = None
        mark = found["mark"]
        comes_in = mark in ("C", "RD")
        minor = minor_of(found["amount"].replace(",", "."), head.currency)
        value = _day(found["value"])
        owner, _, bank = found["references"].partition("//")
        facts = read_information(text)
        check, meaning = _meaning(found["type"][1:], owner.strip(), facts, mark)
        charges = _CHARGES.search(self._more)
        fee = 0
        if charges is not None and charges[1] == head.currency and not comes_in:
            fee = minor_of(charges[2].replace(",", "."), head.currency)
        elif facts.charges and not comes_in:
            fee = minor_of(facts.charges.replace(",", "."), head.currency)
        return BankEntry(
            amount_minor=minor if comes_in else -minor,
            total_minor=minor if comes_in else -minor,
            booked=_booked(value, found["booked"]),
            value=value,
            meaning=meaning,
            code="+".join(filter(None, (found["type"], facts.gvc))),
            line_id="" if bank.strip() in _NOTHING else bank.strip(),
            end_to_end=facts.end_to_end or _end_to_end(owner.strip(), check),
            reference=facts.reference,
            check=check,
            party=facts.party,
            party_account=facts.account,
            text=facts.text,
            reason=facts.reason,
            fee_inside_minor=fee if fee < minor else 0,
        )


def _end_to_end(owner: str, check: str) -> str:
    """Return the reference of the account's owner, which is cut at 16 characters."""
    return "" if owner in _NOTHING or owner == check else owner


def _meaning(type_: str, owner: str, facts: Information, mark: str) -> tuple[str, EntryMeaning]:
    """Return the number of the check, if the entry is about one, and the meaning of the entry."""
    if mark == "RC":
        return "", EntryMeaning.REVERSAL_OF_CREDIT
    if mark == "RD":
        return "", EntryMeaning.REVERSAL_OF_DEBIT
    comes_in = mark == "C"
    number = owner if owner.isdecimal() else ""
    known = GVC.get(facts.gvc)
    if type_ in SWIFT_RETURNED and not comes_in:
        by_text = text_meaning(facts.text, comes_in=False)
        meaning = known or (EntryMeaning.COLLECTION_RETURNED if facts.end_to_end else None)
        if meaning is None:
            check = by_text is EntryMeaning.CHECK_RETURNED or bool(number)
            meaning = EntryMeaning.CHECK_RETURNED if check else EntryMeaning.COLLECTION_RETURNED
        return (number if meaning is EntryMeaning.CHECK_RETURNED else ""), meaning
    meaning = known or swift_meaning(type_, comes_in=comes_in)
    return (number if type_ in ("CHK", "CLR") else ""), meaning


def _balance(text: str, currency: str) -> tuple[int, date, str]:
    found = _BALANCE.fullmatch(text.strip())
    if found is None:
        raise Unreadable(f"{shown(text)} is not a balance")
    sign, day, own, amount = found.groups()
    if currency and own != currency:
        raise Unreadable(f"the closing balance is in {own}, the opening balance in {currency}")
    minor = minor_of(amount.replace(",", "."), own)
    return (minor if sign == "C" else -minor), _day(day), own


def _day(text: str) -> date:
    try:
        return date(_CENTURY + int(text[:2]), int(text[2:4]), int(text[4:6]))
    except ValueError:
        raise Unreadable(f"{shown(text)} is not a date YYMMDD") from None


def _booked(value: date, text: str | None) -> date:
    """Return the booking date MMDD in the year that is nearest to the value date."""
    if not text:
        return value
    days: list[date] = []
    for year in (value.year - 1, value.year, value.year + 1):
        try:
            days.append(date(year, int(text[:2]), int(text[2:])))
        except ValueError:
            continue
    near = [each for each in days if abs((each - value).days) <= _HALF_A_YEAR]
    if not near:
        raise Unreadable(f"{shown(text)} is not a date MMDD")
    return min(near, key=lambda each: abs((each - value).days))
