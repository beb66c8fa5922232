"""BAI2: balance reporting of US banks.

Records 01, 02 and 03 open a file, a group and an account, 16 is an entry, 88 continues the record
before it, and 49, 98 and 99 close them with totals. Amounts have no point. The total of an account
is the algebraic sum of all amounts of its records, balances included; each count includes the
record itself. The package `bai2` reads the whole file into memory, so this module reads records one
by one; the tests compare the two.
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
from paygate.domain.currency import SCALES
from paygate.printing import shown
from paygate.statements.meanings import BAI2, BAI2_CLOSING, BAI2_OPENING
from paygate.statements.refusing import UNIT_BYTES_MAX, Unreadable, lines_of, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paygate.domain.bank_statement import StatementPart

_AMOUNT: Final = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_CENTURY: Final = 2000
_MONEY_IN: Final = range(100, 400)
_MONEY_OUT: Final = range(400, 700)
_UPDATE: Final = "1"
_FINAL: Final = frozenset({"", "2", "4"})
_CHECKS: Final = frozenset({"301", "175", "115", "555", "567"})
_OURS: Final = frozenset({"165", "557", "561"})
_US_DOLLAR: Final = "USD"


def read_bai2(source: BinaryIO, encoding: str = "utf-8") -> Iterator[StatementPart]:
    """Yield the statements of a BAI2 file; raise `ImportRejected` if it cannot be read."""
    reader = _Reader()
    line = 1
    for line, code, rest in _records(source, encoding):
        try:
            yield from reader.read(code, rest)
        except Unreadable as error:
            raise unreadable(line, str(error)) from None
    if not reader.is_closed:
        raise unreadable(line, "the file ends before its record 99")


def _records(source: BinaryIO, encoding: str) -> Iterator[tuple[int, str, str]]:
    """Yield each record with its first line; its continuations are separated by line ends."""
    first, code, parts, size = 0, "", list[str](), 0
    for number, raw in lines_of(source, encoding):
        line = raw.rstrip()
        if not line:
            continue
        if line[2:3] != ",":
            raise unreadable(number, f"{shown(line)} is not a record of BAI2")
        if line[:2] == "88":
            if not code:
                raise unreadable(number, "record 88 continues nothing")
            size += len(line)
            if size > UNIT_BYTES_MAX:
                raise unreadable(number, f"a record has more than {UNIT_BYTES_MAX:,} bytes")
            parts.append(line[3:])
            continue
        if code:
            yield first, code, "\n".join(parts)
        first, code, parts, size = number, line[:2], [line[3:]], len(line)
    if code:
        yield first, code, "\n".join(parts)


class _Reader:
    """The state between the records of a file."""

    def __init__(self) -> None:
        self.is_closed = False
        self._opened: list[str] = []
        self._currency = self._group_currency = ""
        self._day: date | None = None
        self._is_update = self._is_final = True
        self._head: StatementHead | None = None
        self._balances: dict[str, int] = {}
        self._totals = {"03": 0, "02": 0, "01": 0}
        self._counts = {"03": 0, "02": 0, "01": 0}

    def read(self, code: str, rest: str) -> Iterator[StatementPart]:
        """Yield what a record says."""
        if self.is_closed:
            raise Unreadable(f"record {code} comes after record 99")
        records = 1 + rest.count("\n")
        for each in self._counts:
            self._counts[each] += records
        match code:
            case "01" | "02" | "03":
                self._open(code, records)
                if code == "02":
                    self._group(rest)
                elif code == "03":
                    yield self._account(rest)
            case "16":
                yield from self._entry(rest)
            case "49" | "98" | "99":
                yield from self._close(code, rest)
            case _:
                raise Unreadable(f"record {shown(code)} does not exist in BAI2")

    def _open(self, code: str, records: int) -> None:
        inside = {"01": [], "02": ["01"], "03": ["01", "02"]}[code]
        if self._opened != inside:
            raise Unreadable(f"record {code} is out of order")
        self._opened.append(code)
        self._totals[code] = 0
        self._counts[code] = records

    def _group(self, rest: str) -> None:
        fields = _fields(rest, 7)
        self._is_update = fields[2] == _UPDATE
        self._is_final = fields[6] in _FINAL
        self._group_currency = fields[5] or _US_DOLLAR
        text = fields[3]
        try:
            self._day = date(_CENTURY + int(text[:2]), int(text[2:4]), int(text[4:6]))
        except ValueError:
            raise Unreadable(f"{shown(text)} is not a date YYMMDD") from None

    def _account(self, rest: str) -> StatementHead:
        fields = _joined(rest).split(",")
        account, self._currency = fields[0], (fields[1:2] or [""])[0] or self._group_currency
        if self._currency not in SCALES:
            raise Unreadable(f"{shown(self._currency)} is not a currency of ISO 4217")
        self._balances = {}
        position = 2
        while position < len(fields):
            type_ = fields[position]
            amount = (fields[position + 1 : position + 2] or [""])[0]
            if amount:
                minor = _minor(amount)
                self._totals["03"] += minor
                self._balances[type_] = minor
            funds = fields[position + 3 :]
            position += 4 + _extra(funds, (funds[:1] or [""])[0])
        self._head = StatementHead(
            format=StatementFormat.BAI2,
            account=account,
            currency=self._currency,
            on=self._day,
            opening_minor=self._balances.get(BAI2_OPENING),
        )
        return self._head

    def _entry(self, rest: str) -> Iterator[BankEntry]:
        if self._opened[-1:] != ["03"]:
            raise Unreadable("record 16 is outside an account")
        type_, amount, funds, *fields = (*rest.split(","), "", "")
        minor = _minor(amount)
        self._totals["03"] += minor
        skipped = _extra([funds, *fields], funds)
        fields = rest.split(",", skipped + 5)[skipped + 3 :]
        bank, customer, text = (*fields, "", "", "")[:3]
        number = int(type_) if type_.isdecimal() else 0
        if number not in _MONEY_IN and number not in _MONEY_OUT:
            return
        comes_in = number in _MONEY_IN
        if self._day is None:
            raise Unreadable("an entry has no date")
        signed = minor if comes_in else -minor
        bank, customer = bank.removesuffix("/"), customer.removesuffix("/")
        text = text.removesuffix("/")
        ours = type_ in _OURS
        yield BankEntry(
            amount_minor=signed,
            total_minor=signed,
            booked=self._day,
            meaning=BAI2.get(type_, EntryMeaning.OTHER),
            code=type_,
            line_id="" if ours else bank,
            end_to_end=bank if ours else "",
            check=customer if type_ in _CHECKS and customer.isdecimal() else "",
            text="\n".join(
                each for each in (text, "" if type_ in _CHECKS or ours else customer) if each
            ),
            batch=customer if ours else "",
            is_booked=self._is_update and self._is_final,
        )

    def _close(self, code: str, rest: str) -> Iterator[StatementEnd]:
        closes = {"49": "03", "98": "02", "99": "01"}[code]
        if self._opened[-1:] != [closes]:
            raise Unreadable(f"record {code} closes nothing")
        fields = rest.removesuffix("/").split(",")
        total, count = _minor(fields[0]), fields[-1]
        if total != self._totals[closes]:
            raise Unreadable(
                f"record {code} says {total}, but its records add up to {self._totals[closes]}"
            )
        if count != str(self._counts[closes]):
            raise Unreadable(
                f"record {code} counts {shown(count)} records, but there are {self._counts[closes]}"
            )
        self._opened.pop()
        if code == "49":
            self._totals["02"] += total
            yield StatementEnd(
                opening_minor=self._balances.get(BAI2_OPENING),
                closing_minor=self._balances.get(BAI2_CLOSING),
                on=self._day,
            )
        elif code == "98":
            self._totals["01"] += total
        else:
            self.is_closed = True


def _fields(rest: str, count: int) -> list[str]:
    found = _joined(rest).split(",")
    return [each.strip() for each in (found + [""] * count)[:count]]


def _joined(rest: str) -> str:
    """Return the fields of a record and its continuations, without the ends of their lines."""
    return ",".join(line.removesuffix("/") for line in rest.split("\n"))


def _minor(text: str) -> int:
    plain = text.strip().removesuffix("/")
    if not _AMOUNT.fullmatch(plain):
        raise Unreadable(f"{shown(text)} is not an amount of BAI2")
    return int(plain)


def _extra(fields: list[str], funds: str) -> int:
    """Return how many fields the type of funds adds: S has 3, V 2, D a count and 2 for each."""
    match funds.removesuffix("/"):
        case "S":
            return 3
        case "V":
            return 2
        case "D":
            count = (fields[1:2] or ["0"])[0]
            return 1 + 2 * int(count) if count.isdecimal() else 1
        case _:
            return 0
