"""Why a person must look at a payment: causes that are raised, and ended.

The flag `needs_review` of a payment stands as long as one of three things does: a
conflict, an attempt that waits for a person, or a cause that is written here. So
what ends one of them ends the review only if neither of the others is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.ledger import attempts, checksums

if TYPE_CHECKING:
    from paygate.ledger.tx import Tx

EXCESS: Final = "excess"
"""More went back than came."""
UNSETTLED: Final = "unsettled"
"""Accepted money has not settled within the time that its rail allows."""
REFUND_UNSETTLED: Final = "refund-unsettled"
"""A refund was accepted and has not settled in time; a colon and its receipt follow."""
CONTRADICTED: Final = "contradicted"
"""A person reversed money that has settled, and its gateway does not say that it went back."""
UNBROUGHT: Final = "unbrought"
"""Money came back of a payment that ended and never brought any."""
UNIDENTIFIED: Final = "unidentified"
"""Money came for a number that nobody has: it is to be found out whose it is."""
DECIDED: Final = "decided"
"""A person decided about a payment: assigned its money, found out its outcome, or looked at it."""

_RAISE = """
INSERT INTO paygate_review (payment, cause, raised_at, checksum)
VALUES (:payment, :cause, :at, 0)
ON CONFLICT (payment, cause) DO UPDATE SET
  raised_at = :at, ended_at = NULL, ended_by = NULL, reason = ''
WHERE paygate_review.ended_at IS NOT NULL
"""
# What a person has finished is not raised again; what ended by itself is.
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
# While another attempt waits for a person, so does the payment.
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
    """Flag *payment* because of *cause*; return whether that is news."""
    tx.known.pop(("causes", payment), None)
    news = bool(tx.run(_RAISE, {"payment": payment, "cause": cause, "at": tx.at}))
    if news:
        checksums.renew(tx, checksums.REVIEW, payment, cause)
    tx.run(_FLAG, {"payment": payment})
    return news


def stood(tx: Tx, payment: str, cause: str) -> bool:
    """Return whether *cause* was raised and stands, or a person has looked at it."""
    row = tx.one(_STOOD, {"payment": payment, "cause": cause})
    return row is not None


def end(tx: Tx, payment: str, cause: str) -> bool:
    """End what *cause* raised, because it no longer holds; return whether it stood."""
    if cause not in standing(tx, payment) or not _end(tx, payment, cause, ""):
        return False
    tx.run(_UNFLAG, {"payment": payment})
    return True


def read_with(tx: Tx, payment: str, causes: list[str]) -> None:
    """Remember the *causes* of *payment* that stand, which were read with its row."""
    tx.known["causes", payment] = causes


def standing(tx: Tx, payment: str) -> list[str]:
    """Return the causes of *payment* that stand."""
    known: list[str] | None = tx.known.get(("causes", payment))
    if known is None:
        known = [row["cause"] for row in tx.all(_STANDING, {"payment": payment})]
        tx.known["causes", payment] = known
    return known.copy()


def decide(tx: Tx, payment: str, reason: str) -> None:
    """Note that a person has decided about the money of *payment* as it is now, and why.

    What came or went back beyond what was asked for is right from now on, so far and no further.
    """
    tx.known.pop(("causes", payment), None)
    tx.run(_RAISE, {"payment": payment, "cause": DECIDED, "at": tx.at})
    _end(tx, payment, DECIDED, reason)


def finish(tx: Tx, payment: str, reason: str) -> None:
    """End every cause, every flag of an attempt and the conflict: a person has looked."""
    raise_(tx, payment, DECIDED)
    _end(tx, payment, None, reason)
    if tx.run(_UNFLAG_ATTEMPTS, {"payment": payment}):
        attempts.renew_answers(tx, payment)
    tx.run(_UNFLAG_CONFLICT, {"payment": payment})
    tx.run(_UNFLAG, {"payment": payment})


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
