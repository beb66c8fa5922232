"""Addresses to pay to, such as those of a wallet: their owners, and which were paid to.

Addresses are numbered upward and never reassigned, because an address does not expire: a payer
who knows it may pay to it years later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paygate.domain.movement import MovementKind
from paygate.ledger import attempts, checksums

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paygate.domain.movement import Movement
    from paygate.ledger.attempts import AttemptRow
    from paygate.ledger.tx import Tx

_OF_OWNER = """
SELECT number FROM paygate_address
WHERE source = :source AND tenant = :tenant AND account = :account AND owner = :owner
"""
_BEGIN = "INSERT INTO paygate_address_count (source) VALUES (:source) ON CONFLICT DO NOTHING"
_COUNT_UP = "UPDATE paygate_address_count SET allotted = allotted + 1 WHERE source = :source"
_COUNT = "SELECT allotted, reached FROM paygate_address_count WHERE source = :source"
_GIVE = """
INSERT INTO paygate_address (source, number, tenant, account, owner, created_at, checksum)
VALUES (:source, :number, :tenant, :account, :owner, :at, :checksum)
"""
_TAKE = """
INSERT INTO paygate_address (source, number, tenant, account, owner, created_at, checksum)
VALUES (:source, :number, :tenant, :account, :owner, :at, :checksum)
ON CONFLICT DO NOTHING
"""
# A higher number was issued by the ledger before it was restored from an older backup.
_REACH = """
UPDATE paygate_address_count SET
  reached = CASE WHEN reached < :number THEN :number ELSE reached END,
  allotted = CASE WHEN allotted <= :number THEN :number + 1 ELSE allotted END
WHERE source = :source
"""
_NOTE_GAP = """
UPDATE paygate_address_count SET told_reached = reached, told_limit = :limit
WHERE source = :source AND allotted - 1 - reached > :limit
  AND (told_reached IS NULL OR told_reached < reached OR told_limit < :limit)
"""
_WHOSE = "SELECT tenant FROM paygate_address WHERE source = :source AND number = :number"
_OF_MOVEMENT = f"""
SELECT attempt, kind FROM paygate_receipt
WHERE tenant = :tenant AND account = :account
  AND kind IN ({", ".join(f"'{each.value}'" for each in MovementKind)})
  AND movement_id = :movement_id AND attempt IS NOT NULL
"""
_INCOMING = (MovementKind.CHARGE, MovementKind.CAPTURE)
# A pending attempt, or else the oldest that waits for its payer, or else the newest that ended.
_AT = """
SELECT a.* FROM paygate_attempt a JOIN paygate_payment p ON p.id = a.payment
WHERE a.tenant = :tenant AND a.account = :account AND a.reference = :reference
  AND a.reference <> '' AND a.operation = 'charge'
ORDER BY
  CASE WHEN a.state = 'pending' THEN 0
    WHEN a.state = 'requires_action' AND p.superseded = 0 THEN 1 ELSE 2 END,
  CASE WHEN a.state = 'pending' OR (a.state = 'requires_action' AND p.superseded = 0)
    THEN a.id ELSE '' END,
  a.id DESC
LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class AddressCounts:
    """The number of addresses allotted in a wallet, and the highest that was paid to, or -1."""

    allotted: int
    reached: int

    @property
    def unused(self) -> int:
        """The number of addresses after the highest that was paid to."""
        return self.allotted - 1 - self.reached


@dataclass(frozen=True, slots=True)
class Address:
    """The number of an address, the count of unused ones at the end, and whether it is new."""

    number: int
    unused: int
    new: bool


def allot(tx: Tx, source: str, account: str, owner: str) -> Address:
    """Return the address of *owner*, always the same one; allot the next free one if it is new."""
    params = {
        "source": source,
        "tenant": tx.tenant,
        "account": account,
        "owner": owner,
        "at": tx.at,
    }
    tx.execute(_BEGIN, params)
    before = tx.one(_OF_OWNER, params)
    if before is None:
        tx.execute(_COUNT_UP, params)
    now = counts(tx, source)
    if before is not None:
        return Address(int(before["number"]), now.unused, new=False)
    tx.execute(_GIVE, checksums.signed(checksums.ADDRESS, {**params, "number": now.allotted - 1}))
    return Address(now.allotted - 1, now.unused, new=True)


def counts(tx: Tx, source: str) -> AddressCounts:
    """Return the address counts of *source*."""
    row = tx.one(_COUNT, {"source": source})
    return AddressCounts(0, -1) if row is None else AddressCounts(row["allotted"], row["reached"])


def reach(tx: Tx, source: str, number: int) -> None:
    """Store that *number* was paid to, so that it is never issued as a new address."""
    tx.execute(_BEGIN, {"source": source})
    tx.execute(_REACH, {"source": source, "number": number})


def take(tx: Tx, source: str, account: str, number: int) -> None:
    """Assign a number that was never issued to this tenant, because money came to it."""
    params = {
        "source": source,
        "number": number,
        "tenant": tx.tenant,
        "account": account,
        "owner": f"found:{number}",
        "at": tx.at,
    }
    tx.execute(_TAKE, checksums.signed(checksums.ADDRESS, params))


def note_gap(tx: Tx, source: str, limit: int) -> bool:
    """Return whether more than *limit* addresses at the end are unused and no alert is stored.

    It is True again after one of them was paid to, and for a higher limit.
    """
    return bool(tx.run(_NOTE_GAP, {"source": source, "limit": limit}))


def ours(tx: Tx, source: str, number: int | None) -> bool:
    """Return whether *number* of a wallet does not belong to another tenant."""
    if number is None:
        return True
    row = tx.one(_WHOSE, {"source": source, "number": number})
    return row is None or row["tenant"] == tx.tenant


def attempt_of_booked(tx: Tx, account: str, movements: Iterable[Movement]) -> AttemptRow | None:
    """Return the attempt for which one of *movements*, or one that it undoes, was booked."""
    params = {"tenant": tx.tenant, "account": account}
    for movement in movements:
        # A movement that undoes another one may have no id of its own, but that of the other.
        for movement_id in (movement.movement_id, movement.undoes):
            rows = tx.all(_OF_MOVEMENT, {**params, "movement_id": movement_id})
            booked = {MovementKind(row["kind"]): str(row["attempt"]) for row in rows}
            for kind in (movement.kind, *_related(movement.kind)):
                if kind in booked:
                    return attempts.by_id(tx, booked[kind])
    return None


def _related(kind: MovementKind) -> list[MovementKind]:
    """Return the kinds whose booked movements may have the same id as one of *kind*."""
    opposite = [each for each in MovementKind if each.inward is not kind.inward]
    return [*_INCOMING, *opposite] if kind in _INCOMING else opposite


def attempt_expecting(tx: Tx, account: str, reference: str) -> AttemptRow | None:
    """Return the attempt that expects money at *reference*, or was the last to expect it."""
    row = tx.one(_AT, {"tenant": tx.tenant, "account": account, "reference": reference})
    return None if row is None else attempts.attempt_of(row)
