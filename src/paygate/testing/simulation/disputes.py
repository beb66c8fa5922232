"""Disputes at the end: the ledger has each of them, and its invoices, as the processor says.

The amount of a lost dispute is written off on the invoices from which the bank took it,
unless another payment paid or held the invoice. The amount of a dispute that was won, even
after it had been lost, is not written off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.domain.chargeback import DisputeState
from paygate.domain.movement import MovementKind
from paygate.domain.settlement import CreditOn
from paygate.testing.simulation.whose import Whose

if TYPE_CHECKING:
    from paygate.testing.simulation.world import World

_KNOWN: Final = "SELECT account, reference, payment, state FROM paygate_chargeback"
_TAKEN: Final = """
SELECT k.reference, k.payment, k.state, k.account, c.item, c.amount_minor,
  w.amount_minor AS lost_minor,
  w.id IS NOT NULL AND w.undone_at IS NULL AS given_up,
  i.total_minor - i.allocated_minor - i.written_off_minor - i.claimed_minor AS open_minor,
  i.status,
  EXISTS (SELECT 1 FROM paygate_claim o WHERE o.item = c.item AND o.payment <> k.payment)
  OR EXISTS (SELECT 1 FROM paygate_allocation o
             WHERE o.item = c.item AND o.payment IS NOT k.payment)
  OR EXISTS (SELECT 1 FROM paygate_write_off o
             WHERE o.item = c.item AND o.id IS NOT c.write_off) AS others,
  EXISTS (SELECT 1 FROM paygate_taken t JOIN paygate_receipt r ON r.id = t.receipt
          WHERE t.origin = 'item' AND t.name = c.item
          AND r.payment = k.payment AND r.kind = 'chargeback'
          AND (r.movement_id = k.reference OR r.movement_id LIKE k.reference || '#%')
          AND NOT EXISTS (SELECT 1 FROM paygate_receipt w
                          WHERE w.payment = k.payment AND w.kind = 'chargeback_won'
                          AND w.undoes = r.movement_id)) AS taken_off
FROM paygate_chargeback_item c
JOIN paygate_chargeback k ON k.id = c.chargeback
JOIN paygate_item i ON i.id = c.item
LEFT JOIN paygate_write_off w ON w.id = c.write_off
WHERE i.kind = 'invoice' -- nobody owes a prepayment, so nothing of it is written off
"""
_POSTED: Final = """
SELECT
  (SELECT coalesce(sum(amount_minor), 0) FROM paygate_posting
   WHERE ledger_account = 'chargeback_loss') AS posted,
  (SELECT coalesce(sum(w.amount_minor), 0) FROM paygate_chargeback_item c
   JOIN paygate_chargeback k ON k.id = c.chargeback
   JOIN paygate_write_off w ON w.id = c.write_off
   JOIN paygate_item i ON i.id = c.item
   WHERE k.state = 'lost' AND w.undone_at IS NULL AND i.status <> 'void') AS given_up
"""


def check_disputes(world: World, unclear: set[str]) -> None:
    """Compare disputes with the ledger; *unclear* payments were mistaken for others."""
    _check_states(world, unclear)
    _check_given_up(world)


def _check_states(world: World, unclear: set[str]) -> None:
    """Check that the ledger has each dispute in the state that the processor last reported."""
    known = {
        (row["account"], row["reference"]): (row["payment"], row["state"])
        for row in world.store.look(_KNOWN)
    }
    for account, profile in world.profiles.items():
        for (payment, reference), state in _reported(world, account).items():
            if not profile.tells() or payment in unclear:
                continue
            if known.get((account, reference)) != (payment, state):
                booked = known.get((account, reference), "missing")
                world.violated(
                    "disputes", f"{reference} of {payment} is {state}; in the ledger it is {booked}"
                )
            world.count(f"dispute {state}")


def _reported(world: World, account: str) -> dict[tuple[str, str], DisputeState]:
    """Return the state of the processor's disputes; taken money counts as one, too."""
    truth = world.gateways[account].processor.truth
    states: dict[tuple[str, str], DisputeState] = {}
    whose = Whose(world)
    given_back = {
        entry.undoes for entry in truth.journal if entry.kind is MovementKind.CHARGEBACK_WON
    }
    for entry in truth.journal:
        if entry.kind is MovementKind.CHARGEBACK:
            # Money that is taken again was won before, and the dispute is lost in the end.
            reference, turn, _ = entry.movement_id.partition("#")
            state = DisputeState.LOST if turn else DisputeState.OPENED
            if entry.movement_id in given_back:
                state = DisputeState.WON
            states[whose.payment(account, entry), reference] = state
    for order in truth.orders.values():
        for reference, shown in order.disputes.items():
            states[whose.payment(account, order), reference] = DisputeState(shown["state"])
    return states


def _check_given_up(world: World) -> None:
    """Check that lost disputes, and only those, are written off on the invoices and posted."""
    for row in world.store.look(_TAKEN):
        lost = row["state"] == DisputeState.LOST
        if row["given_up"] and (not lost or row["lost_minor"] > row["amount_minor"]):
            world.violated(
                "disputes",
                f"{row['reference']} took {row['amount_minor']} off {row['item']} and is "
                f"{row['state']}, but {row['lost_minor']} of it is written off",
            )
        # Its own claims may have held the invoice if more money was still to come.
        alone = not row["others"] and row["status"] == "open"
        alone = alone and world.profiles[row["account"]].credit_on is CreditOn.ACCEPTED
        # Or nothing was taken off there, because a refund had reopened the invoice before.
        alone = alone and bool(row["taken_off"])
        if lost and row["lost_minor"] is None and alone and row["open_minor"] > 0:
            world.violated(
                "disputes",
                f"{row['reference']} is lost, but its amount on {row['item']} is not written off",
            )
        if row["given_up"]:
            world.count("lost dispute given up")
    [[posted, given_up]] = world.store.look(_POSTED)
    if posted != given_up:
        world.violated(
            "disputes", f"{given_up} of lost disputes is written off, but {posted} posted"
        )
