"""What explains the lines of bank accounts; a match that was undone is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.domain.bank_line import BankMatch, MatchedBy, MatchKind, MatchRule
from paygate.domain.money import Money
from paygate.ledger import checksums, posting
from paygate.ledger.codec import read_instant, read_instant_or_none
from paygate.ledger.posting import LedgerAccount, PostingLine

if TYPE_CHECKING:
    from paygate.domain.bank_line import BankLine
    from paygate.ledger.tx import Row, Tx

_INSERT = """
INSERT INTO paygate_bank_match (
  id, tenant, line, kind, subject, payment, contra, amount_minor, how, rule, reason, made_at, actor,
  undone_at, undone_by, undone_for, checksum)
VALUES (
  :id, :tenant, :line, :kind, :subject, :payment, :contra, :amount_minor, :how, :rule, :reason, :at,
  :actor, :undone_at, :undone_by, :undone_for, :checksum)
"""
_OF_LINE = "SELECT * FROM paygate_bank_match WHERE line = :line ORDER BY made_at, id"
_UNDO = """
UPDATE paygate_bank_match SET undone_at = :at, undone_by = :actor, undone_for = :reason
WHERE id = :id AND undone_at IS NULL
"""
_CONTRA = "SELECT contra FROM paygate_bank_match WHERE id = :id"
_STANDING = """
SELECT line FROM paygate_bank_match
WHERE tenant = :tenant AND kind = :kind AND subject = :subject AND undone_at IS NULL
"""


def insert(
    tx: Tx,
    line: BankLine,
    kind: MatchKind,
    subject: str,
    *,
    minor: int,
    contra: LedgerAccount,
    how: MatchedBy,
    rule: MatchRule,
    payment: str | None = None,
    reason: str = "",
) -> str:
    """Store that *subject* explains *minor* of *line*, and post it against *contra*."""
    id_ = tx.new_id("bmt")
    params = {
        "id": id_,
        "tenant": tx.tenant,
        "line": line.id,
        "kind": kind.value,
        "subject": subject,
        "payment": payment,
        "contra": contra.value,
        "amount_minor": minor,
        "how": how.value,
        "rule": rule.value,
        "reason": reason,
        "at": tx.at,
        "actor": tx.actor,
        "undone_at": None,
        "undone_by": None,
        "undone_for": "",
    }
    tx.execute(_INSERT, checksums.signed(checksums.BANK_MATCH, params))
    _post(tx, line, id_, minor, contra)
    return id_


def undo(tx: Tx, line: BankLine, match: BankMatch, reason: str) -> None:
    """Undo a match, and its posting."""
    params = {"id": match.id, "at": tx.at, "actor": tx.actor, "reason": reason}
    if not tx.run(_UNDO, params):
        return
    checksums.renew(tx, checksums.BANK_MATCH, match.id)
    row = tx.one(_CONTRA, {"id": match.id})
    assert row is not None, "matches are never deleted"
    _post(tx, line, f"{match.id}:undone", -match.amount.minor, LedgerAccount(row["contra"]))


def of_line(tx: Tx, line: str, currency: str) -> list[BankMatch]:
    """Return the matches of a line, oldest first, including those that were undone."""
    return [_match_of(row, currency) for row in tx.all(_OF_LINE, {"line": line})]


def line_of(tx: Tx, kind: MatchKind, subject: str) -> str | None:
    """Return the line that *subject* explains, or None."""
    params = {"tenant": tx.tenant, "kind": kind.value, "subject": subject}
    row = tx.one(_STANDING, params)
    return None if row is None else str(row["line"])


def _post(tx: Tx, line: BankLine, entry: str, minor: int, contra: LedgerAccount) -> None:
    posting.post(
        tx,
        [PostingLine(LedgerAccount.UNEXPLAINED, minor), PostingLine(contra, -minor)],
        entry=entry,
        currency=line.amount.currency,
        customer="",
        effective=line.booked,
    )


def _match_of(row: Row, currency: str) -> BankMatch:
    return BankMatch(
        id=row["id"],
        kind=MatchKind(row["kind"]),
        subject=row["subject"],
        payment=row["payment"],
        amount=Money(currency, row["amount_minor"]),
        how=MatchedBy(row["how"]),
        rule=MatchRule(row["rule"]),
        reason=row["reason"],
        made_at=read_instant(row["made_at"]),
        actor=row["actor"],
        undone_at=read_instant_or_none(row["undone_at"]),
        undone_for=row["undone_for"],
    )
