"""Money seen on its way: a payment holds that much of its invoices, and no more.

Anybody who knows an address can send a few satoshis to it. The amount seen may grow, and may
disappear again; the hold follows it each time. The rest of the invoices stays free, so that the
payer can be shown a code for it, or pay it in another way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.ledger import claims, items, lots
from paygate.service import claiming

if TYPE_CHECKING:
    from paygate.domain.payment import Payment
    from paygate.ledger.claims import Claim
    from paygate.ledger.tx import Tx

_FREE = ("soft", "released")


def hold(tx: Tx, payment: Payment, minor: int) -> None:
    """Hold *minor* of the items of *payment*, in order, and release the rest.

    The part to be paid from credit is held with the last of the money, and not before.
    """
    its_claims = claims.of_payment(tx, payment.id)
    money = [each for each in its_claims if each.credit is None]
    whole = minor >= sum(each.minor for each in money)
    missing = minor - sum(each.minor for each in money if each.state == "hard")
    for claim in reversed(money) if missing < 0 else ():
        if claim.state == "hard" and missing < 0:
            gone = min(claim.minor, -missing)
            items.unclaim(tx, claim.item, gone)
            _part(tx, payment, claim, gone, "released")
            missing += gone
    for claim in money:
        if claim.state in _FREE and missing > 0:
            missing -= _claim(tx, payment, claim, missing)
    for claim in its_claims:
        if claim.credit is not None and claim.state in _FREE and whole:
            _with_credit(tx, payment, claim, claim.credit)
        elif claim.credit is not None and claim.state == "hard" and not whole:
            items.unclaim(tx, claim.item, claim.minor)
            lots.release(tx, claim.credit, claim.minor)
            claims.set_state(tx, payment.id, claim, "released")
    for claim in claims.of_payment(tx, payment.id):
        if claim.state == "soft":
            claims.set_state(tx, payment.id, claim, "released")


def _claim(tx: Tx, payment: Payment, claim: Claim, wanted: int) -> int:
    """Claim up to *wanted* of what is free of an item, and return the amount claimed."""
    invoice = items.by_id(tx, claim.item)
    room = 0 if invoice is None else invoice.open.minor - invoice.claimed.minor
    take = min(claim.minor, room, wanted)
    if take <= 0 or not items.claim(tx, claim.item, take):
        return 0
    for page in claims.soft_on(tx, claim.item):
        if page != payment.id:
            claiming.supersede(tx, page)
    _part(tx, payment, claim, take, "hard")
    return take


def _with_credit(tx: Tx, payment: Payment, claim: Claim, credit: str) -> None:
    if not lots.reserve(tx, credit, claim.minor):
        return
    if items.claim(tx, claim.item, claim.minor):
        claims.set_state(tx, payment.id, claim, "hard")
    else:
        lots.release(tx, credit, claim.minor)


def _part(tx: Tx, payment: Payment, claim: Claim, minor: int, state: str) -> None:
    if minor == claim.minor:
        claims.set_state(tx, payment.id, claim, state)
    else:
        claims.split(tx, payment.id, claim, minor, state)
