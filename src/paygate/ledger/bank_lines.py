"""Lines of bank accounts: each money movement of the bank once, whatever statements have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paygate.domain.bank_line import BankLine, BankMatch, LineClass, LineState
from paygate.domain.bank_statement import EntryMeaning
from paygate.domain.money import Money
from paygate.ledger import bank_matches, checksums, paging
from paygate.ledger.codec import read_date, write_date

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from paygate.ledger.paging import Page
    from paygate.ledger.tx import Row, Tx

INSERT = """
INSERT INTO paygate_bank_line (
  id, tenant, account, statement, identity, occurrence, part, booked, value, currency, amount_minor,
  fee_inside_minor, meaning, code, bank_reference, end_to_end, reference, check_number, reason,
  party, party_account, party_digest, text, state, class, note, imported_at, actor, checksum)
VALUES (
  :id, :tenant, :account, :statement, :identity, :occurrence, :part, :booked, :value, :currency,
  :amount_minor, :fee_inside_minor, :meaning, :code, :bank_reference, :end_to_end, :reference,
  :check_number, :reason, :party, :party_account, :party_digest, :text, :state, :class, :note, :at,
  :actor, :checksum)
"""
_SAME = """
SELECT max(occurrence) AS many FROM paygate_bank_line
WHERE tenant = :tenant AND account = :account AND identity = :identity
"""
_BY_ID = "SELECT l.* FROM paygate_bank_line l WHERE l.tenant = :tenant AND l.id = :id"
_DIGEST = "SELECT party_digest FROM paygate_bank_line WHERE tenant = :tenant AND id = :id"
_CHANGE = """
UPDATE paygate_bank_line SET state = :state, class = :class, note = :note
WHERE id = :id AND state = :before
"""
_CLASSIFY = "UPDATE paygate_bank_line SET class = :class WHERE id = :id AND state = 'open'"
_FEES = """
SELECT l.* FROM paygate_bank_line l INDEXED BY paygate_bank_line_by_account_and_state
WHERE l.tenant = :tenant AND l.account = :account AND l.state = 'open'
  AND l.booked >= :since AND l.booked <= :until AND l.meaning = :meaning
ORDER BY l.booked, l.id
"""
_LISTING = paging.listing(
    "SELECT l.* FROM paygate_bank_line l",
    table="paygate_bank_line",
    alias="l",
    at="booked",
    where={
        "paygate_bank_line_listed": "l.tenant = :tenant",
        "paygate_bank_line_by_account": "l.tenant = :tenant AND l.account = :account",
        "paygate_bank_line_by_state": "l.tenant = :tenant AND l.state = :state",
        "paygate_bank_line_by_account_and_state": (
            "l.tenant = :tenant AND l.account = :account AND l.state = :state"
        ),
    },
    rest="l.account = coalesce(:account, l.account) AND l.state = coalesce(:state, l.state)",
    noun="bank line",
)


def insert(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store new lines, each a mapping with all of its columns."""
    common = {"tenant": tx.tenant, "at": tx.at, "actor": tx.actor}
    tx.many(INSERT, [checksums.signed(checksums.BANK_LINE, {**common, **row}) for row in rows])


def occurrences(tx: Tx, account: str, identity: str) -> int:
    """Return how many lines have an identity."""
    row = tx.one(_SAME, {"tenant": tx.tenant, "account": account, "identity": identity})
    return 0 if row is None or row["many"] is None else int(row["many"])


def by_id(tx: Tx, id_: str) -> BankLine | None:
    """Return the line with this id and its matches, or None."""
    row = tx.one(_BY_ID, {"tenant": tx.tenant, "id": id_})
    return None if row is None else _with_matches(tx, row)


def party_digest(tx: Tx, id_: str) -> str:
    """Return the digest of the account of the other side of a line; empty if it has none."""
    row = tx.one(_DIGEST, {"tenant": tx.tenant, "id": id_})
    return "" if row is None else str(row["party_digest"])


def change(tx: Tx, line: BankLine, *, to: LineState, line_class: LineClass, note: str = "") -> bool:
    """Change the state of a line; return False if it is not as *line* says."""
    params = {
        "id": line.id,
        "state": to.value,
        "class": line_class.value,
        "note": note,
        "before": line.state.value,
    }
    done = bool(tx.run(_CHANGE, params))
    if done:
        checksums.renew(tx, checksums.BANK_LINE, line.id)
    return done


def classify(tx: Tx, line: BankLine, line_class: LineClass) -> None:
    """Store how an open line compares with the ledger."""
    if line.line_class is line_class:
        return
    tx.execute(_CLASSIFY, {"id": line.id, "class": line_class.value})
    checksums.renew(tx, checksums.BANK_LINE, line.id)


def open_between(
    tx: Tx, account: str, meaning: EntryMeaning, since: date, until: date
) -> list[BankLine]:
    """Return the open lines of an account with a meaning, booked in a time, oldest first."""
    params = {
        "tenant": tx.tenant,
        "account": account,
        "since": write_date(since),
        "until": write_date(until),
        "meaning": meaning.value,
    }
    return [line_of(row) for row in tx.all(_FEES, params)]


def page(
    tx: Tx, which: Page, *, account: str | None, state: LineState | None, matches: bool = True
) -> list[BankLine]:
    """Return one page of the lines by the day they were booked; None for all."""
    names = ["account"] * (account is not None) + ["state"] * (state is not None)
    index = f"paygate_bank_line_by_{'_and_'.join(names)}" if names else "paygate_bank_line_listed"
    rows = _LISTING.read(
        tx, index, which, account=account, state=None if state is None else state.value
    )
    return [_with_matches(tx, row) if matches else line_of(row) for row in rows]


def _with_matches(tx: Tx, row: Row) -> BankLine:
    return line_of(row, tuple(bank_matches.of_line(tx, row["id"], row["currency"])))


def line_of(row: Row, matches: tuple[BankMatch, ...] = ()) -> BankLine:
    """Return the line of a row."""
    currency: str = row["currency"]
    return BankLine(
        id=row["id"],
        account=row["account"],
        statement=row["statement"],
        booked=read_date(row["booked"]),
        value=read_date(row["value"]) if row["value"] else None,
        amount=Money(currency, row["amount_minor"]),
        fee_inside=Money(currency, row["fee_inside_minor"]),
        meaning=EntryMeaning(row["meaning"]),
        code=row["code"],
        bank_reference=row["bank_reference"],
        end_to_end=row["end_to_end"],
        reference=row["reference"],
        check=row["check_number"],
        reason=row["reason"],
        party=row["party"],
        party_account=row["party_account"],
        text=row["text"],
        state=LineState(row["state"]),
        line_class=LineClass(row["class"]),
        note=row["note"],
        matches=matches,
    )
