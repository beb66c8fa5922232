"""Disputes: what a payer or their bank takes back, and what comes back of it.

A dispute lists the money that it moved. Each taking and each return is a movement: the first ones
have the dispute's own id, the second ``PP-D-1#2``. PayPal also reports that a capture was reversed,
under an id that no dispute names; such a report only leads to the dispute, so that the same money
is not booked twice. A reversal without a dispute is a return by the payer's bank.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from paygate import driver
from paygate.driver import Money, MovementKind
from paygate.drivers.paypal import codes, wire
from paygate.drivers.paypal.codes import AMOUNTS, ID

if TYPE_CHECKING:
    from paygate.driver import Dialogue, Fields, Movement, Notice
    from paygate.drivers.paypal.wire import Api

DISPUTES: Final = "/v1/customer/disputes"
_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,255}")


def read(dispute: Fields, notice: Notice, taken: Money | None = None) -> Notice:
    """Return *notice* with the state of a dispute and the money that it moved.

    If it lists no money, *taken* is what is known to be taken.
    """
    reference, amount = dispute.id("dispute_id", pattern=_NAME), _amount(dispute, "dispute_amount")
    outcome = dispute.text("dispute_outcome.outcome_code", "")
    resolved = dispute.text("status") == "RESOLVED"
    state = codes.DISPUTES.get(outcome, driver.DisputeState.OPENED)
    movements = _movements(dispute, reference)
    if not movements and taken is None and resolved and outcome == "RESOLVED_BUYER_FAVOUR":
        refunded = dispute.at("dispute_outcome.amount_refunded")
        taken = _amount(dispute, "dispute_outcome.amount_refunded") if refunded else amount
    if not movements and taken is not None:
        movements = [_turn(dispute, reference, MovementKind.CHARGEBACK, 1, taken)]
    stands = driver.Dispute(
        reference=reference,
        state=state if resolved else driver.DisputeState.OPENED,
        amount=amount,
        reason=dispute.text("reason", ""),
        respond_by=dispute.instant("seller_response_due_date", None),
    )
    return replace(notice, movements=tuple(movements), disputes=(stands,))


class Reversal(NamedTuple):
    """Money of a capture that PayPal or a bank took back, under an id of its own."""

    name: str
    capture: str
    amount: Money


def of_capture(api: Api, reversal: Reversal, notice: Notice) -> Dialogue[Notice]:
    """Return *notice* with what was taken, under the newest dispute of the capture.

    Without a dispute, or if the app may not read disputes, it is a return under its own id.
    """
    query = {"disputed_transaction_id": wire.named(reversal.capture)}
    response = yield api.get(DISPUTES, query, step="disputes")
    listed = [] if response.status == 403 else wire.expect_ok(response).each("items", ())
    names = [each.id("dispute_id", pattern=_NAME) for each in listed]
    if names:
        found = yield from api.ask(f"{DISPUTES}/{names[0]}", step="dispute")
        return read(found, notice, reversal.amount)
    returned = driver.Movement(
        movement_id=reversal.name,
        amount=reversal.amount,
        kind=MovementKind.RETURN,
        undoes=reversal.capture,
    )
    return replace(notice, movements=(returned,))


def _amount(dispute: Fields, path: str) -> Money:
    return AMOUNTS.read_decimal(dispute, f"{path}.value", dispute.text(f"{path}.currency_code"))


_KINDS: Final = {"DEBIT": MovementKind.CHARGEBACK, "CREDIT": MovementKind.CHARGEBACK_WON}


def _movements(dispute: Fields, reference: str) -> list[Movement]:
    """Return what the dispute took from the merchant and gave back, the oldest first."""
    ours = [
        each
        for each in dispute.each("money_movements", ())
        if each.value("affected_party") == "SELLER"
    ]
    moved = [each for each in ours if each.value("reason") not in codes.DISPUTE_FEES]
    fees = [each for each in ours if each.value("reason") in codes.DISPUTE_FEES]
    count = Counter[MovementKind]()
    movements = list[driver.Movement]()
    for each in sorted(moved, key=lambda each: each.text("initiated_time", "")):
        kind = each.choice("type", _KINDS)
        count[kind] += 1
        turn = max(1, count[MovementKind.CHARGEBACK])
        amount, at = _amount(each, "amount"), each.instant("initiated_time", None)
        movement = _turn(dispute, reference, kind, count[kind], amount, turn)
        movements.append(replace(movement, effective=at))
    if movements and fees:
        movements[0] = replace(movements[0], fee=_fee(fees))
    return movements


def _fee(fees: list[Fields]) -> Money | None:
    """Return what PayPal charged for a dispute, less what it gave back."""
    amounts = [
        (-1 if each.value("type") == "CREDIT" else 1, _amount(each, "amount")) for each in fees
    ]
    currency = amounts[0][1].currency
    minor = sum(sign * money.minor for sign, money in amounts if money.currency == currency)
    return Money(currency, minor) if minor > 0 else None


def _turn(
    dispute: Fields,
    reference: str,
    kind: MovementKind,
    number: int,
    amount: Money,
    turn: int = 1,
) -> Movement:
    """Return the *number*-th movement of its kind; a return undoes the taking *turn*."""
    taken = kind is MovementKind.CHARGEBACK
    capture = dispute.id("disputed_transactions.0.seller_transaction_id", "", pattern=ID)
    return driver.Movement(
        movement_id=_numbered(reference, number),
        amount=amount,
        kind=kind,
        undoes=(capture or None) if taken else _numbered(reference, turn),
        code=dispute.text("reason", ""),
    )


def _numbered(reference: str, number: int) -> str:
    return reference if number == 1 else f"{reference}#{number}"
