"""Claims: the parts of items that a payment is for, and the credit that it uses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from paygate.ledger import checksums

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.ledger.tx import Row, Tx

_INSERT = """
INSERT INTO paygate_claim (
  payment, position, item, amount_minor, credit, state, prepayment, checksum)
VALUES (:payment, :position, :item, :amount, :credit, :state, :prepayment, :checksum)
"""
_OF_PAYMENT = """
SELECT position, item, amount_minor, credit, state, prepayment FROM paygate_claim
WHERE payment = :payment ORDER BY position
"""
_SET_STATE = """
UPDATE paygate_claim SET state = :state, checksum = :checksum
WHERE payment = :payment AND position = :position
"""
_SET_AMOUNT = """
UPDATE paygate_claim SET amount_minor = :amount, checksum = :checksum
WHERE payment = :payment AND position = :position
"""
_SOFT_ON = """
SELECT payment FROM paygate_claim WHERE item = :item AND state = 'soft'
"""
# Includes superseded payments: their pages can be paid until they end at the processor.
_PAGES_ON = """
SELECT DISTINCT c.payment FROM paygate_claim c JOIN paygate_payment p ON p.id = c.payment
WHERE c.item = :item AND c.state IN ('soft', 'superseded') AND p.status = 'requires_action'
ORDER BY c.payment
"""
_RESERVING = """
SELECT payment FROM paygate_claim WHERE credit = :credit AND state = 'hard'
"""
_RESERVED = """
SELECT coalesce(sum(amount_minor), 0) AS minor FROM paygate_claim
WHERE credit = :credit AND state = 'hard'
"""

_ON_ITEM = """
SELECT payment, position, item, amount_minor, credit, state, prepayment FROM paygate_claim
WHERE item = :item
"""
_REDIRECT = """
UPDATE paygate_claim
SET item = :item, amount_minor = :amount, prepayment = :prepayment, checksum = :checksum
WHERE payment = :payment AND position = :position
"""
HOLDERS: Final = """CASE WHEN i.claimed_minor > 0 THEN (
  SELECT group_concat(DISTINCT c.payment) FROM paygate_claim c
  WHERE c.item = i.id AND c.state = 'hard') END AS claimed_by"""
"""The column with the payments that hold the item *i*, read only if part of it is claimed."""

_OF_PAGES: Final = ("soft", "superseded")


@dataclass(frozen=True, slots=True)
class Claim:
    """
    A part of an item that a payment is for; `credit` is the credit lot that pays it, if any.

    `prepayment` is the prepayment that the payment was for before *item*, an invoice, replaced it.
    """

    position: int
    item: str
    minor: int
    credit: str | None
    state: str
    prepayment: str | None = None


def insert(tx: Tx, payment: str, claims: Sequence[Claim]) -> None:
    """Store the claims of a payment."""
    tx.many(_INSERT, [_params(payment, claim) for claim in claims])
    tx.known.pop(("claims", payment), None)
    for claim in claims:
        _uncache_pages(tx, claim.item, claim.state)


def _uncache_pages(tx: Tx, item: str, state: str) -> None:
    """Drop the cached fact that no page could pay *item*, if *state* is one of pages."""
    if state in _OF_PAGES:
        tx.known.pop(("pages", item), None)


def _params(payment: str, claim: Claim) -> dict[str, Any]:
    params = {
        "payment": payment,
        "position": claim.position,
        "item": claim.item,
        "amount": claim.minor,
        "credit": claim.credit,
        "state": claim.state,
        "prepayment": claim.prepayment,
    }
    return checksums.signed(checksums.CLAIM, params)


def of_payment(tx: Tx, payment: str) -> list[Claim]:
    """Return the claims of a payment, in the order in which they are filled."""
    found: list[Claim] | None = tx.known.get(("claims", payment))
    if found is None:
        found = [_claim_of(row) for row in tx.all(_OF_PAYMENT, {"payment": payment})]
        tx.known["claims", payment] = found
    return found.copy()


def cache(tx: Tx, payment: str, claims: list[Claim]) -> None:
    """Cache the *claims* of *payment*, as read with its row."""
    tx.known["claims", payment] = claims


def set_state(tx: Tx, payment: str, claim: Claim, state: str) -> None:
    """Change the state of one claim."""
    # Written out, since `replace` is slow and every payment does this.
    now = Claim(claim.position, claim.item, claim.minor, claim.credit, state, claim.prepayment)
    tx.execute(_SET_STATE, _params(payment, now))
    _uncache_pages(tx, claim.item, state)
    known: list[Claim] | None = tx.known.get(("claims", payment))
    if known is not None:
        known[:] = [now if each.position == now.position else each for each in known]


def split(tx: Tx, payment: str, claim: Claim, minor: int, state: str = "used") -> None:
    """
    Count *minor* of a claim as used (or as in *state*), and keep the rest.

    The part is added to a matching claim in that state, so that money in a thousand parts does
    not make a thousand claims.
    """
    part = replace(claim, position=0, minor=minor, state=state)
    tx.known.pop(("claims", payment), None)
    _uncache_pages(tx, claim.item, state)
    tx.execute(_SET_AMOUNT, _params(payment, replace(claim, minor=claim.minor - minor)))
    claims = of_payment(tx, payment)
    for each in claims:
        if replace(each, position=0, minor=minor) == part:
            joined = replace(each, minor=each.minor + minor)
            tx.execute(_SET_AMOUNT, _params(payment, joined))
            tx.known.pop(("claims", payment), None)
            return
    last = max(each.position for each in claims)
    insert(tx, payment, [replace(part, position=last + 1)])


def redirect(
    tx: Tx, payment: str, claim: Claim, item: str, minor: int, *, prepayment: str | None
) -> None:
    """
    Turn *minor* of a claim into a claim on another *item*, in the same state.

    The new item is filled first; the rest of the claim goes to the end. *prepayment* is the one
    that *item* replaced, or None if *item* is the prepayment itself.
    """
    now = replace(claim, item=item, minor=minor, prepayment=prepayment)
    tx.run(_REDIRECT, _params(payment, now))
    tx.known.pop(("claims", payment), None)
    _uncache_pages(tx, item, claim.state)
    if minor < claim.minor:
        last = max(each.position for each in of_payment(tx, payment))
        insert(tx, payment, [replace(claim, position=last + 1, minor=claim.minor - minor)])


def on_item(tx: Tx, item: str) -> list[tuple[str, Claim]]:
    """Return every claim on *item*, in whatever state, with its payment."""
    found = [(str(row["payment"]), _claim_of(row)) for row in tx.all(_ON_ITEM, {"item": item})]
    return sorted(found, key=lambda each: (each[0], each[1].position))


def holders(text: str | None) -> tuple[str, ...]:
    """Return the payments in the column `HOLDERS`."""
    return tuple(sorted(filter(None, text.split(",")))) if text else ()


def cache_no_pages(tx: Tx, item: str) -> None:
    """Cache that no page can pay *item*, as read with its row."""
    tx.known["pages", item] = False


def soft_on(tx: Tx, item: str) -> list[str]:
    """Return the payments that have a soft claim on *item*."""
    if not tx.known.get(("pages", item), True):
        return []
    # One payment may hold several parts of an item. SQLite would build a table for DISTINCT.
    return list(dict.fromkeys(row["payment"] for row in tx.all(_SOFT_ON, {"item": item})))


def pages_on(tx: Tx, item: str) -> list[str]:
    """Return the payments for *item* whose page, slip or address is open."""
    if not tx.known.get(("pages", item), True):
        return []
    return [row["payment"] for row in tx.all(_PAGES_ON, {"item": item})]


def reserving(tx: Tx, credit: str) -> list[str]:
    """Return the live payments that have reserved part of a credit lot."""
    return list(dict.fromkeys(row["payment"] for row in tx.all(_RESERVING, {"credit": credit})))


def reserved_of(tx: Tx, credit: str) -> int:
    """Return how much of a credit lot live payments have reserved."""
    row = tx.one(_RESERVED, {"credit": credit})
    assert row is not None, "an aggregate query returns a row"
    return int(row["minor"])


def _claim_of(row: Row) -> Claim:
    return Claim(
        row["position"],
        row["item"],
        row["amount_minor"],
        row["credit"],
        row["state"],
        row["prepayment"],
    )
