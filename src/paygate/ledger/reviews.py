"""Causes for the manual review of a payment: raised, and ended.

The flag `needs_review` of a payment is set while it has a conflict, a flagged attempt, or a
cause that is stored here. Ending one of these ends the review only if no other is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.ledger import attempts, checksums

if TYPE_CHECKING:
    from paygate.ledger.tx import Tx

EXCESS: Final = "excess"
"""More money was returned than received."""
UNSETTLED: Final = "unsettled"
"""Accepted money has not settled within the time limit of its rail."""
REFUND_UNSETTLED: Final = "refund-unsettled"
"""An accepted refund has not settled in time; a colon and the id of its receipt follow."""
CONTRADICTED: Final = "contradicted"
"""Settled money was reversed by hand, but the gateway does not report that it was returned."""
UNBROUGHT: Final = "unbrought"
"""Money was returned for a payment that ended without receiving any."""
UNIDENTIFIED: Final = "unidentified"
"""Money came for a payer number that is not assigned; its customer must be identified."""
DECIDED: Final = "decided"
"""A person decided: assigned the money, resolved the outcome, or finished the review."""

_RAISE = """
INSERT INTO paygate_review (payment, cause, raised_at, checksum)
VALUES (:payment, :cause, :at, 0)
ON CONFLICT (payment, cause) DO UPDATE SET
  raised_at = :at, ended_at = NULL, ended_by = NULL, reason = ''
WHERE paygate_review.ended_at IS NOT NULL
"""
# A cause that a person has finished is not raised again; one that ended by itself is.
_STOOD = """
SELECT 1 AS one FROM paygate_review
WHERE payment = :payment AND cause = :cause AND (ended_at IS NULL OR reason <> '')
"""
_FLAG = "UPDATE paygate_payment SET needs_review = 1 WHERE id = :payment"
_END = """
UPDATE paygate_review SET ended_at = :at, ended_by = :actor, reason = :reason,
  collected_minor = CASE :reason WHEN '' THEN 0 ELSE (
    SELECT p.collected_minor FROM paygate_payment p WHERE p.id = :payment) END,
  returned_minor = CASE :reason WHEN '' THEN 0 ELSE (
    SELECT p.returned_minor FROM paygate_payment p WHERE p.id = :payment) END
WHERE payment = :payment AND ended_at IS NULL AND cause = coalesce(:cause, cause)
"""
_CAUSES = "SELECT cause FROM paygate_review WHERE payment = :payment"
_STANDING = "SELECT cause FROM paygate_review WHERE payment = :payment AND ended_at IS NULL"
# The flag stays while an attempt is flagged.
_UNFLAG = """
UPDATE paygate_payment SET needs_review = 0
WHERE id = :payment AND conflicted = 0
  AND NOT EXISTS (SELECT 1 FROM paygate_review r WHERE r.payment = :payment AND r.ended_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM paygate_attempt a WHERE a.payment = :payment AND a.needs_review = 1)
"""
_UNFLAG_ATTEMPTS = """
UPDATE paygate_attempt SET needs_review = 0, version = version + 1
WHERE payment = :payment AND needs_review = 1
"""
_UNFLAG_CONFLICT = "UPDATE paygate_payment SET conflicted = 0 WHERE id = :payment"


def raise_(tx: Tx, payment: str, cause: str) -> bool:
    """Flag *payment* because of *cause*; return False if the cause was already open."""
    tx.known.pop(("causes", payment), None)
    news = bool(tx.run(_RAISE, {"payment": payment, "cause": cause, "at": tx.at}))
    if news:
        checksums.renew(tx, checksums.REVIEW, payment, cause)
    tx.execute(_FLAG, {"payment": payment})
    return news


def stood(tx: Tx, payment: str, cause: str) -> bool:
    """Return whether *cause* is open, or was finished by a person."""
    row = tx.one(_STOOD, {"payment": payment, "cause": cause})
    return row is not None


def end(tx: Tx, payment: str, cause: str) -> bool:
    """End *cause*, because it no longer holds; return whether it was open."""
    if cause not in standing(tx, payment) or not _end(tx, payment, cause, ""):
        return False
    tx.execute(_UNFLAG, {"payment": payment})
    return True


def cache(tx: Tx, payment: str, causes: list[str]) -> None:
    """Cache the open *causes* of *payment*, as read with its row."""
    tx.known["causes", payment] = causes


def standing(tx: Tx, payment: str) -> list[str]:
    """Return the open causes of *payment*."""
    known: list[str] | None = tx.known.get(("causes", payment))
    if known is None:
        known = [row["cause"] for row in tx.all(_STANDING, {"payment": payment})]
        tx.known["causes", payment] = known
    return known.copy()


def decide(tx: Tx, payment: str, reason: str) -> None:
    """Store a person's decision about the money of *payment*, and its reason.

    The decision approves the excess collected or returned so far, and no more.
    """
    tx.known.pop(("causes", payment), None)
    tx.execute(_RAISE, {"payment": payment, "cause": DECIDED, "at": tx.at})
    _end(tx, payment, DECIDED, reason)


def finish(tx: Tx, payment: str, reason: str) -> None:
    """Finish the review of *payment*: end every cause, the flags of its attempts, the conflict."""
    raise_(tx, payment, DECIDED)
    _end(tx, payment, None, reason)
    if tx.run(_UNFLAG_ATTEMPTS, {"payment": payment}):
        attempts.renew_answers(tx, payment)
    tx.execute(_UNFLAG_CONFLICT, {"payment": payment})
    tx.execute(_UNFLAG, {"payment": payment})


def _end(tx: Tx, payment: str, cause: str | None, reason: str) -> bool:
    params = {
        "payment": payment,
        "cause": cause,
        "at": tx.at,
        "actor": tx.actor,
        "reason": reason,
    }
    tx.known.pop(("causes", payment), None)
    if not tx.run(_END, params):
        return False
    for row in tx.all(_CAUSES, params):
        checksums.renew(tx, checksums.REVIEW, payment, row["cause"])
    return True
