"""Files that no bank should write: each is refused as a whole, with the line and the reason."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from paygate.domain.bank_statement import BankEntry
from paygate.errors import ImportRejected, InvalidValue
from paygate.statements import ColumnMap, read_statement
from tests.statements.vectors import vectors

CAMT = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
STATEMENT = """<Stmt><Id>S1</Id><Acct><Id><IBAN>NL41MOCK0000000001</IBAN></Id><Ccy>EUR</Ccy></Acct>
{entries}
</Stmt>"""
ENTRY = """<Ntry><Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{direction}</CdtDbtInd>
<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{day}</Dt></BookgDt></Ntry>"""
COLUMNS = ColumnMap(
    columns={"booked": "Date", "amount": "Amount", "text": "Text"},
    decimal=",",
    thousands=".",
    delimiter=";",
    account="1",
    currency="EUR",
)


def camt(*entries: str, namespace: str = CAMT, prolog: str = "") -> bytes:
    inside = STATEMENT.format(entries="\n".join(entries))
    return (
        f'<?xml version="1.0"?>\n{prolog}<Document xmlns="{namespace}"><BkToCstmrStmt>'
        f"{inside}</BkToCstmrStmt></Document>"
    ).encode()


def entry(
    *, currency: str = "EUR", amount: str = "1.00", direction: str = "CRDT", day: str = "2026-05-18"
) -> str:
    return ENTRY.format(currency=currency, amount=amount, direction=direction, day=day)


def refused(content: bytes, columns: ColumnMap | None = None) -> tuple[int, str]:
    with pytest.raises(ImportRejected) as caught:
        list(read_statement(io.BytesIO(content), columns=columns))
    [(line, reason)] = caught.value.problems
    return line, reason


def test_a_document_type_is_refused_before_an_entity_is_expanded() -> None:
    bomb = '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>\n'

    line, reason = refused(camt(entry(amount="&b;"), prolog=bomb))

    assert line == 2
    assert "a document type is not accepted" in reason


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (camt(entry(), entry(currency="USD")), 5, "is in 'USD', but the account is in EUR"),
        (camt(entry(), entry(amount="1.005")), 5, "'1.005' has more digits than EUR allows"),
        (camt(entry(amount="-1.00")), 3, "'-1.00' is not an amount"),
        (camt(entry(amount="1e2")), 3, "'1e2' is not an amount"),
        (camt(entry(direction="CREDIT")), 3, "has direction 'CREDIT', not CRDT or DBIT"),
        (camt(entry(day="18.05.2026")), 3, "'18.05.2026' is not a date"),
        (camt(entry(), namespace="urn:other"), 1, "is not a Document of camt.053"),
        (
            camt(entry(), namespace="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"),
            1,
            "is not a Document of camt.053",
        ),
        (camt(entry())[:-40], 4, "this is not XML"),
        (camt().replace(b"<IBAN>NL41MOCK0000000001</IBAN>", b""), 1, "does not name its account"),
    ],
)
def test_a_camt_file_that_is_wrong(content: bytes, line: int, reason: str) -> None:
    where, why = refused(content)

    assert reason in why
    assert where == line


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        (b"49,242500,6/", b"49,242501,6/", 8, "record 49 says 242501"),
        (b"49,242500,6/", b"49,242500,5/", 8, "record 49 counts '5' records, but there are 6"),
        (b"98,242500,1,8/", b"98,1,1,8/", 9, "record 98 says 1"),
        (b"99,242500,1,10/", b"", 9, "the file ends before its record 99"),
        (b"16,567,2500", b"16,567,25.00", 7, "'25.00' is not an amount of BAI2"),
        (b"16,567,", b"17,567,", 7, "record '17' does not exist in BAI2"),
        (b"02,HOSTCO", b"03,HOSTCO", 2, "record 03 is out of order"),
    ],
)
def test_a_bai2_file_that_is_wrong(
    protocols: Path, old: bytes, new: bytes, line: int, reason: str
) -> None:
    content = (protocols / "bank/vectors/10-cheque-returned-bai2/2.bai2").read_bytes()
    assert old in content

    where, why = refused(content.replace(old, new))

    assert reason in why
    assert where == line


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        (b":61:2605180518D25,00", b":61:2605180518D25.00", 15, "is not an entry of field 61"),
        (b":61:2605180518D25,00", b":61:2613180518D25,00", 15, "'261318' is not a date YYMMDD"),
        (b":62F:C260518USD975,00", b"", 19, "the file ends before the closing balance"),
        (b":62F:C260518USD975,00", b":62F:C260518EUR975,00", 17, "closing balance is in EUR"),
        (b":60F:C260512USD1100,00", b"", 12, "an entry comes before the opening balance"),
    ],
)
def test_an_mt940_file_that_is_wrong(
    protocols: Path, old: bytes, new: bytes, line: int, reason: str
) -> None:
    content = (protocols / "bank/vectors/09-cheque-returned-mt940/1.mt940").read_bytes()
    assert old in content

    where, why = refused(content.replace(old, new).lstrip())

    assert reason in why
    assert abs(where - line) <= 1


def test_an_ofx_file_that_is_cut_or_has_a_document_type(protocols: Path) -> None:
    content = (protocols / "bank/vectors/11-cheque-returned-ofx/1.ofx").read_bytes()

    assert refused(content[:-20])[1] == "the file ends before </OFX>"
    assert "document type" in refused(content.replace(b"<OFX>", b"<!DOCTYPE x><OFX>"))[1]
    assert "'1x.00' is not an amount" in refused(content.replace(b">100.00", b">1x.00"))[1]


@pytest.mark.parametrize(
    ("rows", "line", "reason"),
    [
        ("Date;Sum;Text\n", 1, "does not name 'Amount'"),
        ("Date;Amount;Text\n2026-05-18;1.00;x\n", 2, "is not an amount with '.' between thousands"),
        ("Date;Amount;Text\n2026-05-18;1,005;x\n", 2, "more digits than EUR allows"),
        ("Date;Amount;Text\n18.05.2026;1,00;x\n", 2, "is not a date of the form %Y-%m-%d"),
        ("Date;Amount;Text\n2026-05-18;1,00\n", 2, "has 2 fields, the first line names 3"),
        ('Date;Amount;Text\n2026-05-18;1,00;"x\n', 2, "is not CSV"),
        ("", 1, "has no entry"),
    ],
)
def test_a_table_that_is_wrong(rows: str, line: int, reason: str) -> None:
    where, why = refused(rows.encode(), COLUMNS)

    assert reason in why
    assert where == line


def test_a_table_without_a_column_map_is_not_guessed() -> None:
    with pytest.raises(InvalidValue, match="csv with a column map"):
        read_statement(io.BytesIO(b"Date,Amount\n2026-05-18,1.00\n"))


def test_every_file_of_the_sheet_is_refused_at_any_cut_or_read_completely(protocols: Path) -> None:
    for vector in vectors(protocols):
        content, whole = vector.path.read_bytes(), len(vector.statements())
        for cut in range(1, len(content), 97):
            try:
                parts = list(read_statement(io.BytesIO(content[:cut]), columns=vector.columns))
            except (ImportRejected, InvalidValue):
                continue
            # MT940 and tables have no mark at their end: the rest of them is missing, but what is
            # there is complete.
            assert vector.says["format"] in ("csv", "mt940"), (vector.name, cut)
            assert len(parts) <= sum(len(e) + 2 for _, e, _ in vector.statements()), whole


class Endless(io.RawIOBase):
    """A file of *size* bytes that is made while it is read."""

    def __init__(self, first: bytes, again: bytes, last: bytes, size: int) -> None:
        self._parts = first, again, last
        self._size = size
        self._at = 0
        self.read_to = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, to: int, whence: int = 0) -> int:
        self._at = to if whence == 0 else self._size
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        first, again, last = self._parts
        room = min(len(buffer), self._size - self._at)
        made = bytearray()
        at = self._at
        while len(made) < room:
            if at < len(first):
                made += first[at:]
            elif at >= self._size - len(last):
                made += last[at - (self._size - len(last)) :]
            else:
                inside = (at - len(first)) % len(again)
                made += again[inside : inside + self._size - len(last) - at]
            at = self._at + len(made)
        buffer[:room] = made[:room]
        self._at += room
        self.read_to = max(self.read_to, self._at)
        return room


def parts_and_peak(source: Endless) -> tuple[int, int]:
    tracemalloc.start()
    try:
        parts = read_statement(cast("BinaryIO", source))
        found = sum(1 for each in parts if isinstance(each, BankEntry))
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def envelope() -> tuple[bytes, bytes]:
    first, last = camt("CUT").split(b"CUT")
    return first, last


def test_a_large_file_needs_no_more_memory_than_a_small_one() -> None:
    first, last = envelope()
    one = entry().encode()

    def of(count: int) -> Endless:
        return Endless(first, one, last, len(first) + len(one) * count + len(last))

    few, small = parts_and_peak(of(200))
    many, large = parts_and_peak(of(5_000))

    assert (few, many) == (200, 5_000)
    assert large < small + 1_000_000


@pytest.mark.parametrize(
    ("again", "reason"),
    [
        (b"x" * 8192, "an entry has more than 16,000,000 bytes"),
        (b"<a>" * 3000, "elements are nested more than 100 deep"),
    ],
)
def test_an_entry_without_end_is_refused_long_before_the_end_of_the_file(
    again: bytes, reason: str
) -> None:
    first, last = envelope()
    source = Endless(first, again, last, 100_000_000)

    with pytest.raises(ImportRejected, match=reason):
        list(read_statement(cast("BinaryIO", source)))

    assert source.read_to < 17_000_000
