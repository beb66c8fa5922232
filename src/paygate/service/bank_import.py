"""Importing bank statements: every movement of the bank becomes one line, whatever says it.

All of a file is read and checked before any of it is stored: that it can be read, that it is of
this account, and whether its balances hold. So a file that is refused has changed nothing.
Meanwhile its entries are in a temporary file without a name. Then its lines are stored, in groups
of one transaction each. A line has an identity, and is stored
once: importing a file again, or one that overlaps it, stores nothing new. So an import that died
can be run again, and needs no memory of where it was.

The identity of an entry is our own id of a collection, if it has one; else the bank's id of the
entry, if the account trusts that; else its facts. Facts are written differently in each format, so
only one format of an account, its source, books entries without an id. Two equal entries in one
statement are two movements, so an identity is counted within its statement.

Every line is posted once, from the bank to *unexplained*; what explains it later is posted from
there. So the bank's balance in the ledger is that of the bank, explained or not.
"""

from __future__ import annotations

import pickle
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final, TypeAlias

from paygate.domain.bank_account import is_same_number
from paygate.domain.bank_line import LineClass, LineState
from paygate.domain.bank_statement import (
    BankEntry,
    StatementEnd,
    StatementHead,
)
from paygate.errors import ImportRejected, InvalidValue, RecordNotFound
from paygate.ledger import (
    accounts,
    bank_accounts,
    bank_candidates,
    bank_lines,
    bank_statements,
    holding,
    outbox,
    posting,
)
from paygate.ledger.codec import write_date
from paygate.ledger.posting import LedgerAccount, PostingLine
from paygate.printing import shown
from paygate.service.flow import Flow, look, repeatable, transact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import date

    from paygate.domain.bank_account import BankAccount, BankPolicy
    from paygate.domain.bank_statement import StatementPart
    from paygate.ledger.tx import Tx

Reading: TypeAlias = "Callable[[BinaryIO], Iterator[StatementPart]]"
"""Reads a file from its beginning."""

GROUP: Final = 500
"""How many lines are stored in one transaction."""
_SHOWN_DIGITS: Final = 4
_DIGEST_LENGTH: Final = 32
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementImport:
    """
    What an import did.

    *entries* were read, of which *new* are lines now, *known* were lines before, and *left* were
    not booked, or only inform. *mismatched* and *gaps* count statements that do not add up, or do
    not continue the one before.
    """

    account: str
    statements: int = 0
    entries: int = 0
    new: int = 0
    known: int = 0
    left: int = 0
    mismatched: int = 0
    gaps: int = 0
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOrder:
    """A file to import, how to read it, and what to call after each group."""

    account: str
    source: BinaryIO
    read: Reading
    group: int = GROUP
    progress: Callable[[StatementImport], object] | None = None


@dataclass(slots=True)
class _Checked:
    """What the first reading found of one statement."""

    head: StatementHead
    name: str
    on: date
    opening: int | None
    closing: int | None
    booked: int
    entries: int
    digest: str

    @property
    def missing(self) -> int:
        """What the balances have and the entries do not."""
        if self.opening is None or self.closing is None:
            return 0
        return self.closing - self.opening - self.booked


# --- Accounts -------------------------------------------------------------------------------


def set_account(name: str, number: str, currency: str, policy: BankPolicy) -> Flow[BankAccount]:
    """Add a bank account, or change its number and policy."""
    return (yield from transact(lambda tx: set_in(tx, name, number, currency, policy)))


def set_in(tx: Tx, name: str, number: str, currency: str, policy: BankPolicy) -> BankAccount:
    """Add a bank account, or change its number and policy, in this transaction."""
    holding.hold_bank(tx, name)
    before = bank_accounts.settings_of(tx, name)
    if before is not None and before.currency != currency:
        raise InvalidValue(
            f"bank account {shown(name)} is in {before.currency}; add one for {currency} under "
            "another name",
            argument="currency",
        )
    if policy.check_fee is not None and policy.check_fee.minor <= 0:
        raise InvalidValue("check_fee must be more than zero, or left out", argument="check_fee")
    bank_accounts.put(tx, name, number=number, currency=currency, policy=policy)
    return account_of(tx, name)


def account_of(tx: Tx, name: str) -> BankAccount:
    """Return a bank account with its balance, or raise `RecordNotFound`."""
    found = bank_accounts.by_name(tx, name)
    if found is None:
        raise _not_found(tx, name)
    return found


def settings_of(tx: Tx, name: str) -> BankAccount:
    """Return a bank account whose balance is not computed, or raise `RecordNotFound`."""
    found = bank_accounts.settings_of(tx, name)
    if found is None:
        raise _not_found(tx, name)
    return found


def _not_found(tx: Tx, name: str) -> RecordNotFound:
    known = ", ".join(each.name for each in bank_accounts.every(tx))
    return RecordNotFound(
        f"there is no bank account {shown(name)} in this ledger; "
        f"{f'there are: {known}' if known else 'add it with set_bank_account'}",
        argument="account",
    )


# --- Importing ------------------------------------------------------------------------------


def import_file(order: ImportOrder) -> Flow[StatementImport]:
    """Store the lines of a file that are new; importing it again changes nothing."""
    digest = _digest_of_file(order.source)
    account, is_known = yield from look(partial(_account_and_file, order.account, digest))
    if is_known:
        return StatementImport(account=account.name, repeated=True)
    order.source.seek(0)
    with TemporaryFile() as spool:
        checked = list(_check(_keeping(order.read(order.source), spool), account))
        spool.seek(0)
        done = yield from _store_all(order, account, checked, _kept(spool))
    yield from repeatable(partial(_end_in, account.name, digest, len(checked)))
    return done


def _keeping(parts: Iterable[StatementPart], spool: IO[bytes]) -> Iterator[StatementPart]:
    for part in parts:
        pickle.dump(part, spool, protocol=pickle.HIGHEST_PROTOCOL)
        yield part


def _kept(spool: IO[bytes]) -> Iterator[StatementPart]:
    while True:
        try:
            yield pickle.load(spool)  # noqa: S301  (what `_keeping` wrote)
        except EOFError:
            return


def _store_all(
    order: ImportOrder,
    account: BankAccount,
    checked: Sequence[_Checked],
    parts: Iterator[StatementPart],
) -> Flow[StatementImport]:
    report = _Report(order)
    seen: set[str] = set()
    for each in checked:
        entries = _entries_of(parts)
        if each.digest in seen:  # the file has this statement twice
            report.known += sum(1 for _ in entries)
            continue
        seen.add(each.digest)
        statement = yield from repeatable(partial(_begin_in, account.name, each))
        report.begin(each, is_gap=statement.is_gap)
        yield from _store(account, each, statement.id, entries, report)
    return report.now()


class _Report:
    """Counts what an import did."""

    def __init__(self, order: ImportOrder) -> None:
        self._order = order
        self.group = order.group
        self.statements = self.entries = self.new = self.known = self.left = 0
        self.mismatched = self.gaps = 0

    def begin(self, checked: _Checked, *, is_gap: bool) -> None:
        self.statements += 1
        self.mismatched += bool(checked.missing)
        self.gaps += is_gap

    def now(self) -> StatementImport:
        return StatementImport(
            account=self._order.account,
            statements=self.statements,
            entries=self.entries,
            new=self.new,
            known=self.known,
            left=self.left,
            mismatched=self.mismatched,
            gaps=self.gaps,
        )

    def show(self) -> None:
        if self._order.progress is not None:
            self._order.progress(self.now())


def _account_and_file(name: str, digest: str, tx: Tx) -> tuple[BankAccount, bool]:
    return settings_of(tx, name), bank_statements.has_file(tx, name, digest)


def _digest_of_file(source: BinaryIO) -> str:
    source.seek(0)
    digest = sha256()
    while chunk := source.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _check(parts: Iterable[StatementPart], account: BankAccount) -> Iterator[_Checked]:
    """Read all of a file; yield its statements, or raise `ImportRejected`."""
    head: StatementHead | None = None
    booked = entries = 0
    last: date | None = None
    digest = sha256()
    for part in parts:
        match part:
            case StatementHead():
                _check_account(part, account)
                head, booked, entries, last, digest = part, 0, 0, None, sha256()
            case BankEntry():
                entries += 1
                last = part.booked
                digest.update(repr(part).encode())
                if part.is_booked:
                    booked += part.amount_minor
            case StatementEnd():
                assert head is not None, "a statement begins before it ends"
                yield _checked(head, part, account, last, booked, entries, digest.hexdigest())


def _checked(
    head: StatementHead,
    end: StatementEnd,
    account: BankAccount,
    last: date | None,
    booked: int,
    entries: int,
    digest: str,
) -> _Checked:
    on = end.on or head.on or last
    if on is None:
        raise _refused(f"statement {shown(head.id)} has no date")
    opening = end.opening_minor if head.opening_minor is None else head.opening_minor
    if opening is None and end.closing_minor is not None:
        opening = end.closing_minor - booked  # a format without opening balances
    name = "/".join(filter(None, (head.id, head.number, head.page)))
    found = _Checked(
        head=head,
        name=name,
        on=on,
        opening=opening,
        closing=end.closing_minor,
        booked=booked,
        entries=entries,
        digest=sha256(f"{name}\n{on}\n{digest}".encode()).hexdigest()[:_DIGEST_LENGTH],
    )
    if account.policy.strict and found.missing:
        raise _refused(
            f"statement {shown(name)} does not add up: its balances differ from its entries by "
            f"{found.missing} minor units, and the account is strict"
        )
    return found


def _check_account(head: StatementHead, account: BankAccount) -> None:
    if not is_same_number(head.account, account.number):
        raise _refused(
            f"it is of account {shown(head.account)}, but bank account {account.name} is "
            f"{shown(account.number)}"
        )
    if head.currency != account.currency:
        raise _refused(
            f"it is in {shown(head.currency)}, but bank account {account.name} is in "
            f"{account.currency}"
        )


def _refused(reason: str) -> ImportRejected:
    return ImportRejected(
        f"the statement is refused: {reason}; nothing of it was imported", problems=[(1, reason)]
    )


def _entries_of(parts: Iterator[StatementPart]) -> Iterator[BankEntry]:
    """Yield the entries of the next statement."""
    for part in parts:
        match part:
            case StatementHead():
                pass
            case BankEntry():
                yield part
            case StatementEnd():
                return


@dataclass(frozen=True, slots=True)
class _Begun:
    id: str
    is_gap: bool


def _begin_in(name: str, checked: _Checked, tx: Tx) -> _Begun:
    """Store a statement, unless it is known, and the balance before the first one."""
    holding.hold_bank(tx, name)
    account = settings_of(tx, name)
    format_ = checked.head.format
    same = bank_statements.known(tx, name, format_, checked.name, checked.on)
    if checked.digest in same:
        return _Begun(same[checked.digest], is_gap=False)
    before = bank_statements.closing_before(tx, name, format_, checked.on)
    gap = 0
    if before is not None and checked.opening is not None:
        gap = checked.opening - before
    id_ = tx.new_id("stm")
    bank_statements.insert(
        tx,
        id_=id_,
        account=name,
        format_=format_,
        name=checked.name,
        on=checked.on,
        currency=account.currency,
        opening=checked.opening,
        closing=checked.closing,
        booked=checked.booked,
        missing=checked.missing,
        gap=gap,
        entries=checked.entries,
        digest=checked.digest,
    )
    if checked.opening is not None and (
        account.opening_on is None or checked.on < account.opening_on
    ):
        bank_accounts.set_opening(tx, account, checked.opening, checked.on)
    facts: dict[str, object] = {
        "account": name,
        "statement": id_,
        "format": format_.value,
        "name": checked.name,
        "on": checked.on.isoformat(),
        "currency": account.currency,
    }
    _emit(tx, "statement.imported", {**facts, "entries": checked.entries})
    if checked.missing:
        _emit(tx, "statement.mismatch", {**facts, "missing_minor": checked.missing})
    if gap:
        _emit(tx, "statement.gap", {**facts, "gap_minor": gap})
    if same:
        _emit(tx, "statement.changed", facts)
    return _Begun(id_, is_gap=bool(gap))


def _emit(tx: Tx, type_: str, facts: dict[str, object]) -> None:
    outbox.emit(tx, type_, f"bank:{facts['account']}", facts)


def _store(
    account: BankAccount,
    checked: _Checked,
    statement: str,
    entries: Iterator[BankEntry],
    report: _Report,
) -> Flow[None]:
    counted: Counter[bytes] = Counter()
    rows: list[dict[str, Any]] = []
    for entry in entries:
        report.entries += 1
        if not entry.is_booked or not entry.amount_minor:
            report.left += 1
            continue
        rows.append(_row_of(entry, account, checked, statement))
        # Parts of one entry stay together, because they are known or new together.
        if len(rows) >= report.group and entry.part == entry.parts - 1:
            yield from _store_group(account, rows, counted, report)
            rows = []
    if rows:
        yield from _store_group(account, rows, counted, report)


def _store_group(
    account: BankAccount,
    rows: list[dict[str, Any]],
    counted: Counter[bytes],
    report: _Report,
) -> Flow[None]:
    done = yield from repeatable(partial(_store_in, account.name, rows, Counter(counted)))
    counted.update(done.counted)
    report.new += done.new
    report.known += done.known
    report.left += done.left
    report.show()


@dataclass(slots=True)
class _Stored:
    new: int = 0
    known: int = 0
    left: int = 0
    counted: Counter[bytes] = field(default_factory=Counter[bytes])


def _store_in(
    name: str, rows: Sequence[dict[str, Any]], counted: Counter[bytes], tx: Tx
) -> _Stored:
    """Store the lines of a group that are new, and post them."""
    holding.hold_bank(tx, name)
    account = settings_of(tx, name)
    gateways = [each.name for each in accounts.all_known(tx)]
    done = _Stored()
    new: list[dict[str, Any]] = []
    occurrence = known = 0
    identity: str | None = None
    for row in rows:
        if row["part"] == 0:
            identity = _identity(tx, row, account, gateways)
            if identity is None:
                occurrence = 0
            else:
                key = bytes.fromhex(identity)
                done.counted[key] += 1
                occurrence = counted[key] + done.counted[key]
                known = bank_lines.occurrences(tx, name, identity)
        if not occurrence:
            done.left += 1
        elif occurrence <= known:
            done.known += 1
        else:
            new.append({**row, "identity": identity, "occurrence": occurrence})
    made = [_made(tx, row) for row in new]
    bank_lines.insert(tx, made)
    for row in made:
        minor = int(row["amount_minor"])
        posting.post(
            tx,
            [
                PostingLine(LedgerAccount.BANK, minor),
                PostingLine(LedgerAccount.UNEXPLAINED, -minor),
            ],
            entry=row["id"],
            currency=row["currency"],
            customer="",
            effective=row["day"],
        )
    done.new = len(made)
    return done


def _made(tx: Tx, row: dict[str, Any]) -> dict[str, Any]:
    account = row["party_account"]
    digest = sha256(f"{tx.tenant}\x1f{account}".encode()).hexdigest() if account else ""
    return {
        **row,
        "id": tx.new_id("bln"),
        "party_account": account[-_SHOWN_DIGITS:],
        "party_digest": digest[:_DIGEST_LENGTH],
    }


def _row_of(
    entry: BankEntry, account: BankAccount, checked: _Checked, statement: str
) -> dict[str, Any]:
    return {
        "account": account.name,
        "statement": statement,
        "format": checked.head.format,
        "part": entry.part,
        "total": entry.total_minor,
        "day": entry.booked,
        "booked": write_date(entry.booked),
        "value": "" if entry.value is None else write_date(entry.value),
        "currency": account.currency,
        "amount_minor": entry.amount_minor,
        "fee_inside_minor": entry.fee_inside_minor,
        "meaning": entry.meaning.value,
        "code": entry.code,
        "bank_reference": entry.line_id,
        "end_to_end": entry.end_to_end,
        "reference": entry.reference,
        "check_number": entry.check,
        "reason": entry.reason,
        "party": entry.party,
        "party_account": "".join(entry.party_account.split()).upper(),
        "text": entry.text,
        "state": LineState.OPEN.value,
        "class": LineClass.UNEXPLAINED.value,
        "note": "",
    }


def _identity(
    tx: Tx, row: dict[str, Any], account: BankAccount, gateways: Sequence[str]
) -> str | None:
    """Return the identity of an entry, or None if its format only informs about it."""
    total = row["total"]
    own = row["end_to_end"]
    facts: tuple[object, ...]
    if own and bank_candidates.collected(tx, gateways, own) is not None:
        facts = ("own", own, row["booked"], total)
    elif row["bank_reference"] and account.policy.trusts_line_ids:
        facts = ("id", row["bank_reference"], total)
    elif row["format"] is account.policy.source:
        facts = (
            *("facts", row["format"].value, row["booked"], row["value"], total, row["code"]),
            *(own, row["party_account"], row["check_number"], row["text"].casefold()),
        )
    else:
        return None
    return sha256("\x1f".join(map(str, facts)).encode()).hexdigest()[:_DIGEST_LENGTH]


def _end_in(name: str, digest: str, statements: int, tx: Tx) -> None:
    holding.hold_bank(tx, name)
    bank_statements.add_file(tx, name, digest, statements)
