"""OFX: 1.x is SGML whose tags need not be closed, 2.x is XML; both are read as a row of tags.

The date of an entry is the day in the offset that it states. OFX has no opening balance, so a
statement is only checked from one import to the next.
"""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, BinaryIO, Final

from paygate.domain.bank_statement import (
    BankEntry,
    EntryMeaning,
    StatementEnd,
    StatementFormat,
    StatementHead,
)
from paygate.domain.currency import SCALES
from paygate.printing import shown
from paygate.statements.meanings import OFX, OFX_NOT_BOOKED, text_meaning
from paygate.statements.refusing import (
    UNIT_BYTES_MAX,
    Unreadable,
    day_of,
    minor_of,
    unreadable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from paygate.domain.bank_statement import StatementPart

_CHUNK: Final = 1 << 16
_STATEMENTS: Final = frozenset({"STMTRS", "CCSTMTRS"})
_ENTRY: Final = "STMTTRN"
_NEEDED: Final = ("TRNTYPE", "DTPOSTED", "TRNAMT")
_AMOUNT: Final = re.compile(r"([+-]?)([0-9]+(?:[.,][0-9]*)?)", re.ASCII)
_CREDIT_OR_DEBIT: Final = frozenset({"CREDIT", "DEBIT", "OTHER", "DIRECTDEBIT", "CHECK"})


def read_ofx(source: BinaryIO, encoding: str = "utf-8") -> Iterator[StatementPart]:
    """Yield the statements of an OFX file; raise `ImportRejected` if it cannot be read."""
    reader = _Reader()
    line = 1
    for line, tag, text in _tags(source, encoding):
        try:
            yield from reader.read(tag, text)
        except Unreadable as error:
            raise unreadable(line, str(error)) from None
    if not reader.is_complete:
        raise unreadable(line, "the file ends before </OFX>")
    if not reader.statements:
        raise unreadable(line, "the file has no statement")


def _tags(source: BinaryIO, encoding: str) -> Iterator[tuple[int, str, str]]:
    """Yield each tag in upper case with its line and the text after it; the header is no tag."""
    rest, line = "", 1
    while True:
        raw = source.read(_CHUNK)
        while raw and not raw.endswith((b">", b"\n")) and len(raw) < UNIT_BYTES_MAX:
            more = source.read(1)
            if not more:
                break
            raw += more
        try:
            rest += raw.decode(encoding)
        except UnicodeError:
            raise unreadable(
                line, f"this is not {encoding.upper()} text; name the encoding of the file"
            ) from None
        if "<!" in rest:
            raise unreadable(line, "a document type is not accepted, as no bank writes one")
        *pieces, rest = rest.split("<") if raw else (*rest.split("<"), "")
        if len(rest) > UNIT_BYTES_MAX:
            raise unreadable(line, f"a value has more than {UNIT_BYTES_MAX:,} bytes")
        for piece in pieces:
            tag, closed, text = piece.partition(">")
            if closed and not tag.startswith("?"):
                yield line, tag.strip().upper(), unescape(text.strip())
            line += piece.count("\n")
        if not raw:
            return


class _Reader:
    """The state between the tags of a file."""

    def __init__(self) -> None:
        self.statements = 0
        self.is_complete = False
        self._facts: dict[str, str] = {}
        self._entry: dict[str, str] | None = None
        self._balance: dict[str, str] | None = None
        self._closing: tuple[int, date] | None = None
        self._head: StatementHead | None = None
        self._inside = False

    def read(self, tag: str, text: str) -> Iterator[StatementPart]:
        """Yield what *tag* completes."""
        match tag:
            case "/OFX":
                self.is_complete = True
            case _ if tag in _STATEMENTS:
                self._inside, self._facts, self._head, self._closing = True, {}, None, None
            case _ if tag[1:] in _STATEMENTS:
                if self._head is None:
                    yield self._begin()
                minor, on = self._closing or (None, None)
                yield StatementEnd(closing_minor=minor, on=on)
                self._inside = False
                self.statements += 1
            case "STMTTRN":
                if self._head is None:
                    yield self._begin()
                self._entry = {}
            case "/STMTTRN":
                if self._entry is None or self._head is None:
                    raise Unreadable("an entry ends that has not begun")
                yield _entry_of(self._entry, self._head.currency)
                self._entry = None
            case "LEDGERBAL":
                self._balance = {}
            case "/LEDGERBAL":
                self._close()
            case _:
                self._note(tag, text)

    def _note(self, tag: str, text: str) -> None:
        if tag.startswith("/"):
            return
        for facts in (self._entry, self._balance):
            if facts is not None:
                facts.setdefault(tag, text)
                return
        if self._inside:
            self._facts.setdefault(tag, text)

    def _begin(self) -> StatementHead:
        currency, account = self._facts.get("CURDEF", ""), self._facts.get("ACCTID", "")
        if not account:
            raise Unreadable("it does not name its account")
        if currency not in SCALES:
            raise Unreadable(f"{shown(currency)} is not a currency of ISO 4217")
        self._head = StatementHead(format=StatementFormat.OFX, account=account, currency=currency)
        return self._head

    def _close(self) -> None:
        if self._balance is None or not self._inside:
            return
        head = self._head
        currency = self._facts.get("CURDEF", "") if head is None else head.currency
        minor = _signed(self._balance.get("BALAMT", ""), currency)
        self._closing = minor, _day(self._balance.get("DTASOF", ""))
        self._balance = None


def _entry_of(facts: dict[str, str], currency: str) -> BankEntry:
    missing = [name for name in _NEEDED if not facts.get(name)]
    if missing:
        raise Unreadable(f"an entry has no {missing[0]}")
    own = facts.get("CURSYM", currency) if "ORIGCURRENCY" not in facts else currency
    if own != currency:
        raise Unreadable(f"an entry is in {shown(own)}, but the account is in {currency}")
    minor = _signed(facts["TRNAMT"], currency)
    type_, name, memo = facts["TRNTYPE"], facts.get("NAME", ""), facts.get("MEMO", "")
    check = facts.get("CHECKNUM", "")
    text = "\n".join(each for each in (name, memo) if each)
    meaning = OFX.get(type_, EntryMeaning.OTHER)
    if type_ in _CREDIT_OR_DEBIT or (meaning is EntryMeaning.OTHER and minor > 0):
        meaning = text_meaning(text, comes_in=minor > 0, check=check)
    if meaning is EntryMeaning.CHECK_IN and minor < 0:
        meaning = EntryMeaning.OTHER
    return BankEntry(
        amount_minor=minor,
        total_minor=minor,
        booked=_day(facts["DTPOSTED"]),
        meaning=meaning,
        code=type_,
        line_id=facts.get("FITID", ""),
        end_to_end=facts.get("REFNUM", ""),
        check=check,
        party=name if minor > 0 else "",
        text=memo if minor > 0 and memo else text,
        is_booked=type_ != OFX_NOT_BOOKED,
    )


def _signed(text: str, currency: str) -> int:
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise Unreadable(f"{shown(text)} is not an amount")
    minor = minor_of(found[2].replace(",", "."), currency)
    return -minor if found[1] == "-" else minor


def _day(text: str) -> date:
    """Return the day of a time such as ``20260512120000[-5:EST]``, in the offset that it states."""
    digits = text[:8]
    if len(digits) < 8 or not digits.isdecimal():
        raise Unreadable(f"{shown(text)} is not a date")
    return day_of(f"{digits[:4]}-{digits[4:6]}-{digits[6:]}")
