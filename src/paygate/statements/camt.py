"""camt.053, camt.052 and camt.054 of ISO 20022, versions .001.02 to .001.14.

The versions differ in few places: a status is text or has a code, a party stands alone or in
``Pty``, charges stand alone or in a record, and the first versions have no amount of a detail but
``AmtDtls``. Elements are read by their local names. The amount of an entry is what moved on the
account; other amounts only explain it.

The file is parsed in chunks, and an entry is dropped as soon as it was read. A document type is
refused before the parser of the entries sees it, so no entity is ever expanded.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast
from xml.etree.ElementTree import ParseError, XMLPullParser
from xml.parsers import expat

from paygate.domain.bank_statement import (
    BankEntry,
    EntryMeaning,
    StatementEnd,
    StatementFormat,
    StatementHead,
)
from paygate.printing import shown
from paygate.statements.meanings import iso_meaning, text_meaning
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
    from xml.etree.ElementTree import Element

    from paygate.domain.bank_statement import StatementPart

_CHUNK: Final = 1 << 16
_DEPTH_MAX: Final = 100
_NAMESPACE: Final = re.compile(
    r"urn:iso:std:iso:20022:tech:xsd:(camt\.05[234])\.001\.(0[2-9]|1[0-4])", re.ASCII
)
_CONTAINER: Final = {
    StatementFormat.CAMT_053: "Stmt",
    StatementFormat.CAMT_052: "Rpt",
    StatementFormat.CAMT_054: "Ntfctn",
}
_OPENING: Final = ("OPBD", "PRCD")
_CLOSING: Final = ("CLBD",)
_NOT_GIVEN: Final = frozenset({"", "NOTPROVIDED", "NONREF"})
_INWARD_FEE: Final = "CRDT"


def read_camt(source: BinaryIO) -> Iterator[StatementPart]:
    """Yield the statements of a camt file; raise `ImportRejected` if it cannot be read."""
    _refuse_document_type(source)
    source.seek(0)
    reader = _Reader()
    depth = 0
    parser: XMLPullParser[Any] = XMLPullParser(("start", "end"))
    while True:
        chunk = source.read(_CHUNK)
        try:
            if chunk:
                parser.feed(chunk)
            else:
                parser.close()
            for event, element in cast("Iterator[tuple[str, Element]]", parser.read_events()):
                if event == "start":
                    depth += 1
                    reader.start(element)
                    continue
                depth -= 1
                if element.tag in reader.ends:
                    yield from reader.end(element)
        except ParseError as error:
            line, _ = error.position
            raise unreadable(line, f"this is not XML: {_short(error)}") from None
        except Unreadable as error:
            raise unreadable(_line_of(source, reader), f"{reader.place}{error}") from None
        if not chunk:
            break
        if depth > _DEPTH_MAX:
            raise unreadable(
                _line_of(source, reader), f"elements are nested more than {_DEPTH_MAX} deep"
            )
        reader.unit_bytes += len(chunk)
        if reader.unit_bytes > UNIT_BYTES_MAX:
            raise unreadable(
                _line_of(source, reader),
                f"an entry has more than {UNIT_BYTES_MAX:,} bytes",
            )
    if not reader.statements:
        raise unreadable(1, "the file has no statement")


def _short(error: ParseError) -> str:
    return str(error).partition(":")[0]


def _refuse_document_type(source: BinaryIO) -> None:
    """Raise `ImportRejected` if the file has a document type, which stands before its root."""

    class Done(Exception):
        pass

    def on_document_type(*_: object) -> None:
        raise unreadable(
            parser.CurrentLineNumber, "a document type is not accepted, as no bank writes one"
        )

    def on_element(*_: object) -> None:
        raise Done

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = on_document_type
    parser.StartElementHandler = on_element
    source.seek(0)
    try:
        while chunk := source.read(_CHUNK):
            parser.Parse(chunk)
        parser.Parse(b"", True)  # noqa: FBT003  (positional only)
    except Done:
        return
    except expat.ExpatError as error:
        raise unreadable(
            error.lineno, f"this is not XML: {expat.ErrorString(error.code)}"
        ) from None


def _line_of(source: BinaryIO, reader: _Reader) -> int:
    """Return the line on which the current entry begins, or its statement."""
    wanted = reader.entries_in_file + (reader.place_is_entry)
    seen, line = 0, 1

    def on_element(name: str, _: object) -> None:
        nonlocal seen, line
        if name.rpartition(":")[2] == "Ntry":
            seen += 1
            if seen <= wanted:
                line = parser.CurrentLineNumber

    parser = expat.ParserCreate()
    parser.StartElementHandler = on_element
    source.seek(0)
    try:
        while seen < wanted and (chunk := source.read(_CHUNK)):
            parser.Parse(chunk)
    except expat.ExpatError:
        pass
    return line


class _Reader:
    """The state between the elements of a file."""

    def __init__(self) -> None:
        self.format: StatementFormat | None = None
        self.prefix = ""
        self.statements = 0
        self.entries_in_file = 0
        self.entries = 0
        self.unit_bytes = 0
        self.place_is_entry = 0
        self._statement: Element | None = None
        self._depth = 0
        self._head: StatementHead | None = None
        self._entry_tag = self._container = ""
        self.ends: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Where in the file the reader is, for a message."""
        if not self.statements and self._statement is None:
            return ""
        name = self._head.id if self._head is not None and self._head.id else self.statements + 1
        entry = f", entry {self.entries + 1}" if self.place_is_entry else ""
        return f"statement {name}{entry}: "

    def start(self, element: Element) -> None:
        """Note the root and the beginning of a statement."""
        if self.format is None:
            self._root(element)
        elif element.tag == self._container and self._statement is None:
            self._statement = element
            self._head = None
            self.entries = 0
        elif element.tag == self._entry_tag and self._statement is not None:
            self.place_is_entry = 1

    def _root(self, element: Element) -> None:
        namespace, _, name = element.tag.rpartition("}")
        found = _NAMESPACE.fullmatch(namespace.removeprefix("{"))
        if found is None or name != "Document":
            raise Unreadable(
                f"the root {shown(element.tag)} is not a Document of camt.053, camt.052 or camt.054"
            )
        self.format = StatementFormat(found[1])
        self.prefix = f"{namespace}}}"
        self._entry_tag = f"{self.prefix}Ntry"
        self._container = f"{self.prefix}{_CONTAINER[self.format]}"
        self.ends = (self._entry_tag, self._container)

    def end(self, element: Element) -> Iterator[StatementPart]:
        """Yield what ends with *element*: an entry, after the head of its statement, or the end."""
        tag, statement = element.tag, self._statement
        if statement is None:
            return
        if tag == self._entry_tag:
            head = self._head
            if head is None:
                head = self._head = self._head_of(statement)
                yield head
            yield from self._entries_of(element, head)
            statement.remove(element)
            self.entries += 1
            self.entries_in_file += 1
            self.place_is_entry = 0
            self.unit_bytes = 0
        elif element is statement:
            if self._head is None:
                self._head = self._head_of(statement)
                yield self._head
            yield self._end_of(statement, self._head)
            statement.clear()
            self._statement = None
            self.statements += 1
            self.unit_bytes = 0

    def _kids(self, element: Element | None) -> dict[str, Element]:
        """Return the first child of each name."""
        if element is None:
            return {}
        cut = len(self.prefix)
        found: dict[str, Element] = {}
        for child in element:
            found.setdefault(child.tag[cut:], child)
        return found

    def _at(self, element: Element | None, *names: str) -> Element | None:
        for name in names:
            if element is None:
                return None
            element = element.find(self.prefix + name)
        return element

    def _text(self, element: Element | None, *names: str) -> str:
        found = self._at(element, *names)
        return "" if found is None else (found.text or "").strip()

    def _all(self, element: Element | None, name: str) -> list[Element]:
        return [] if element is None else element.findall(self.prefix + name)

    def _head_of(self, statement: Element) -> StatementHead:
        account = self._at(statement, "Acct")
        number = self._text(account, "Id", "IBAN") or self._text(account, "Id", "Othr", "Id")
        if not number:
            raise Unreadable("it does not name its account")
        currency = self._text(account, "Ccy") or self._currency_of(statement)
        if not currency:
            raise Unreadable("it does not name the currency of its account")
        paging = self._at(statement, "StmtPgntn")
        opening, on = self._balance(statement, _OPENING, currency)
        created = self._text(statement, "CreDtTm")
        return StatementHead(
            format=self.format or StatementFormat.CAMT_053,
            account=number,
            currency=currency,
            id=self._text(statement, "Id"),
            number=self._text(statement, "ElctrncSeqNb") or self._text(statement, "LglSeqNb"),
            page=self._text(paging, "PgNb"),
            on=on or (day_of(created) if created else None),
            opening_minor=opening,
        )

    def _currency_of(self, statement: Element) -> str:
        for name in ("Bal", "Ntry"):
            amount = self._at(statement, name, "Amt")
            if amount is not None:
                return amount.get("Ccy", "")
        return ""

    def _balance(
        self, statement: Element, types: tuple[str, ...], currency: str
    ) -> tuple[int | None, date | None]:
        for type_ in types:
            for balance in self._all(statement, "Bal"):
                if self._text(balance, "Tp", "CdOrPrtry", "Cd") != type_:
                    continue
                day = self._text(balance, "Dt", "Dt") or self._text(balance, "Dt", "DtTm")
                return (
                    self._signed(balance, currency, of=f"balance {type_}"),
                    day_of(day) if day else None,
                )
        return None, None

    def _signed(self, element: Element, currency: str, *, of: str) -> int:
        amount = self._at(element, "Amt")
        if amount is None:
            raise Unreadable(f"{of} has no amount")
        if amount.get("Ccy") != currency:
            raise Unreadable(
                f"{of} is in {shown(amount.get('Ccy', ''))}, but the account is in {currency}"
            )
        minor = minor_of((amount.text or "").strip(), currency)
        match self._text(element, "CdtDbtInd"):
            case "CRDT":
                return minor
            case "DBIT":
                return -minor
            case other:
                raise Unreadable(f"{of} has direction {shown(other)}, not CRDT or DBIT")

    def _end_of(self, statement: Element, head: StatementHead) -> StatementEnd:
        opening, _ = self._balance(statement, _OPENING, head.currency)
        closing, on = self._balance(statement, _CLOSING, head.currency)
        last = self._text(statement, "StmtPgntn", "LastPgInd") != "false"
        return StatementEnd(opening_minor=opening, closing_minor=closing, on=on, is_last_page=last)

    def _entries_of(self, element: Element, head: StatementHead) -> Iterator[BankEntry]:
        kids = self._kids(element)
        total = self._signed(element, head.currency, of="an entry")
        status = kids.get("Sts")
        written = "" if status is None else (status.text or "").strip() or self._text(status, "Cd")
        code = self._code_of(kids.get("BkTxCd"))
        undone = self._text(element, "RvslInd") in ("true", "1")
        booked, value = self._days(kids, head)
        details = self._all(kids.get("NtryDtls"), "TxDtls")
        if len(self._all(element, "NtryDtls")) > 1:
            details = [
                each
                for group in self._all(element, "NtryDtls")
                for each in self._all(group, "TxDtls")
            ]
        batch = self._text(kids.get("NtryDtls"), "Btch", "PmtInfId")
        line_id = self._text(element, "AcctSvcrRef")
        info = self._text(element, "AddtlNtryInf")
        parts = self._parts(details, total, head.currency)
        for number, (detail, minor) in enumerate(parts):
            yield self._entry(
                detail,
                minor,
                total=total,
                number=number,
                count=len(parts),
                code=code,
                undone=undone,
                booked=booked,
                value=value,
                is_booked=written == "BOOK",
                line_id=line_id,
                batch=batch,
                info=info,
                currency=head.currency,
            )

    def _days(self, kids: dict[str, Element], head: StatementHead) -> tuple[date, date | None]:
        booking, value = (
            self._text(kids.get(name), "Dt") or self._text(kids.get(name), "DtTm")
            for name in ("BookgDt", "ValDt")
        )
        valued = day_of(value) if value else None
        booked = day_of(booking) if booking else valued or head.on
        if booked is None:
            raise Unreadable("an entry has no date")
        return booked, valued

    def _code_of(self, element: Element | None) -> str:
        domain = self._at(element, "Domn")
        if domain is None:
            return self._text(element, "Prtry", "Cd")
        family = self._at(domain, "Fmly")
        names = (
            self._text(domain, "Cd"),
            self._text(family, "Cd"),
            self._text(family, "SubFmlyCd"),
        )
        return "/".join(names)

    def _parts(
        self, details: list[Element], total: int, currency: str
    ) -> list[tuple[Element | None, int]]:
        """Return the details with their amounts; the entry as a whole if they do not add up."""
        if len(details) < 2:
            return [(details[0] if details else None, total)]
        sign = 1 if total >= 0 else -1
        amounts = [self._amount_of(each, currency, sign) for each in details]
        known = [each for each in amounts if each is not None]
        if len(known) < len(amounts) or sum(known) != total:
            return [(None, total)]
        return list(zip(details, known, strict=True))

    def _amount_of(self, detail: Element, currency: str, sign: int) -> int | None:
        amount = self._at(detail, "Amt")
        if amount is None:
            amount = self._at(detail, "AmtDtls", "TxAmt", "Amt")
        if amount is None or amount.get("Ccy") != currency:
            return None
        direction = self._text(detail, "CdtDbtInd")
        if direction:
            sign = 1 if direction == "CRDT" else -1
        return sign * minor_of((amount.text or "").strip(), currency)

    def _entry(
        self,
        detail: Element | None,
        minor: int,
        *,
        total: int,
        number: int,
        count: int,
        code: str,
        undone: bool,
        booked: date,
        value: date | None,
        is_booked: bool,
        line_id: str,
        batch: str,
        info: str,
        currency: str,
    ) -> BankEntry:
        kids = self._kids(detail)
        references = self._kids(kids.get("Refs"))
        remittance = kids.get("RmtInf")
        reason = self._text(kids.get("RtrInf"), "Rsn", "Cd")
        meaning = self._meaning(code, total, undone=undone, returned="RtrInf" in kids)
        party, account = self._party(kids, comes_in=minor >= 0, returned="RtrInf" in kids)
        end_to_end = _text_of(references.get("EndToEndId"))
        reference = self._text(remittance, "Strd", "CdtrRefInf", "Ref")
        texts = [_text_of(each) for each in self._all(remittance, "Ustrd")]
        for each in self._all(remittance, "Strd"):
            document = self._text(each, "RfrdDocInf", "Nb")
            texts += [document] if document else []
        more = self._text(detail, "AddtlTxInf") or info
        text = "\n".join(texts) if texts else more
        by_words = text_meaning(text, comes_in=minor >= 0)
        if meaning is EntryMeaning.OTHER and by_words is EntryMeaning.CHECK_RETURNED:
            meaning = by_words
        return BankEntry(
            amount_minor=minor,
            booked=booked,
            meaning=meaning,
            code=code,
            value=value,
            line_id=line_id or _text_of(references.get("AcctSvcrRef")),
            end_to_end="" if end_to_end in _NOT_GIVEN else end_to_end,
            reference=reference,
            check=_text_of(references.get("ChqNb")),
            party=party,
            party_account=account,
            text=text,
            reason=reason,
            batch=batch or _text_of(references.get("PmtInfId")),
            fee_inside_minor=self._fee_inside(kids, minor, currency),
            total_minor=total,
            part=number,
            parts=count,
            is_booked=is_booked,
        )

    def _meaning(self, code: str, total: int, *, undone: bool, returned: bool) -> EntryMeaning:
        if undone:
            one, other = EntryMeaning.REVERSAL_OF_DEBIT, EntryMeaning.REVERSAL_OF_CREDIT
            return one if total >= 0 else other
        meaning = iso_meaning(code, comes_in=total >= 0)
        if not returned or total >= 0 or meaning is EntryMeaning.FEE:
            return meaning
        check = meaning is EntryMeaning.CHECK_RETURNED or "/RCHQ/" in code
        return EntryMeaning.CHECK_RETURNED if check else EntryMeaning.COLLECTION_RETURNED

    def _party(
        self, kids: dict[str, Element], *, comes_in: bool, returned: bool
    ) -> tuple[str, str]:
        """Return the name and the account of the other side."""
        parties = self._kids(kids.get("RltdPties"))
        order = ("Dbtr", "Cdtr") if comes_in or returned else ("Cdtr", "Dbtr")
        for name in order:
            element = parties.get(name)
            called = self._text(element, "Nm") or self._text(element, "Pty", "Nm")
            holder = parties.get(f"{name}Acct")
            account = self._text(holder, "Id", "IBAN") or self._text(holder, "Id", "Othr", "Id")
            if called or account:
                return called, account
        return "", ""

    def _fee_inside(self, kids: dict[str, Element], minor: int, currency: str) -> int:
        """Return the charges that are part of the amount, in the currency of the account."""
        charges = kids.get("Chrgs")
        if charges is None or minor >= 0:
            return 0
        records = self._all(charges, "Rcrd") or [charges]
        found = 0
        for each in records:
            amount = self._at(each, "Amt")
            included = self._text(each, "ChrgInclInd") in ("true", "1", "")
            debit = self._text(each, "CdtDbtInd") != _INWARD_FEE
            if amount is not None and amount.get("Ccy") == currency and included and debit:
                found += minor_of((amount.text or "").strip(), currency)
        return found if found < -minor else 0


def _text_of(element: Element | None) -> str:
    return "" if element is None else (element.text or "").strip()
