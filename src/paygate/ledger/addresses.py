"""Addresses to pay to, such as those of a wallet: who has which number, and which were paid to.

Numbers are counted upwards and never given to somebody else, because an address
does not expire: whoever knows it may pay to it years later.
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
# A number beyond those allotted was given away by a ledger that this one has forgotten.
_REACH = """
UPDATE paygate_address_count SET
  reached = CASE WHEN reached < :number THEN :number ELSE reached END,
  allotted = CASE WHEN allotted <= :number THEN :number + 1 ELSE allotted END
WHERE source = :source
"""
_TELL_GAP = """
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
_COMES = (MovementKind.CHARGE, MovementKind.CAPTURE)
# One that is on its way, else the oldest that waits, else the newest that ended.
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
    """How many numbers of a wallet were allotted, and the highest that was paid to (-1: none)."""

    allotted: int
    reached: int

    @property
    def unused(self) -> int:
        """How many at the end of all numbers were never paid to."""
        return self.allotted - 1 - self.reached


@dataclass(frozen=True, slots=True)
class Address:
    """A number, how many at the end of all numbers were never paid to, and whether it is new."""

    number: int
    unused: int
    new: bool


def allot(tx: Tx, source: str, account: str, owner: str) -> Address:
    """Return the number of *owner*, always the same; the next free one the first time."""
    params = {
        "source": source,
        "tenant": tx.tenant,
        "account": account,
        "owner": owner,
        "at": tx.at,
    }
    tx.run(_BEGIN, params)
    before = tx.one(_OF_OWNER, params)
    if before is None:
        tx.run(_COUNT_UP, params)
    now = counts(tx, source)
    if before is not None:
        return Address(int(before["number"]), now.unused, new=False)
    tx.run(_GIVE, checksums.signed(checksums.ADDRESS, {**params, "number": now.allotted - 1}))
    return Address(now.allotted - 1, now.unused, new=True)


def counts(tx: Tx, source: str) -> AddressCounts:
    """Return how many numbers of *source* were allotted, and how far they were paid to."""
    row = tx.one(_COUNT, {"source": source})
    return AddressCounts(0, -1) if row is None else AddressCounts(row["allotted"], row["reached"])


def reach(tx: Tx, source: str, number: int) -> None:
    """Remember that *number* was paid to, so that it is never given away as a new one."""
    tx.run(_BEGIN, {"source": source})
    tx.run(_REACH, {"source": source, "number": number})


def take(tx: Tx, source: str, account: str, number: int) -> None:
    """Let money at a number that nobody was given be that of this tenant, and of no other."""
    params = {
        "source": source,
        "number": number,
        "tenant": tx.tenant,
        "account": account,
        "owner": f"found:{number}",
        "at": tx.at,
    }
    tx.run(_TAKE, checksums.signed(checksums.ADDRESS, params))


def tell_gap(tx: Tx, source: str, limit: int) -> bool:
    """Return whether more than *limit* at the end are unpaid, and no alert has said so.

    That is said again after one of them was paid, and for a higher limit.
    """
    return bool(tx.run(_TELL_GAP, {"source": source, "limit": limit}))


def ours(tx: Tx, source: str, number: int | None) -> bool:
    """Return whether *number* is not another tenant's of the same wallet."""
    if number is None:
        return True
    row = tx.one(_WHOSE, {"source": source, "number": number})
    return row is None or row["tenant"] == tx.tenant


def attempt_of_booked(tx: Tx, account: str, movements: Iterable[Movement]) -> AttemptRow | None:
    """Return the attempt of which one of *movements*, or what it undoes, was booked."""
    params = {"tenant": tx.tenant, "account": account}
    for movement in movements:
        # What undoes another movement without a name of its own goes by the name of that.
        for movement_id in (movement.movement_id, movement.undoes):
            rows = tx.all(_OF_MOVEMENT, {**params, "movement_id": movement_id})
            booked = {MovementKind(row["kind"]): str(row["attempt"]) for row in rows}
            for kind in (movement.kind, *_related(movement.kind)):
                if kind in booked:
                    return attempts.by_id(tx, booked[kind])
    return None


def _related(kind: MovementKind) -> list[MovementKind]:
    """Return the kinds of movement under whose name a movement of *kind* may be booked."""
    opposite = [each for each in MovementKind if each.inward is not kind.inward]
    return [*_COMES, *opposite] if kind in _COMES else opposite


def attempt_expecting(tx: Tx, account: str, reference: str) -> AttemptRow | None:
    """Return the attempt that expects money at the place *reference* most, or did so last."""
    row = tx.one(_AT, {"tenant": tx.tenant, "account": account, "reference": reference})
    return None if row is None else attempts.attempt_of(row)
