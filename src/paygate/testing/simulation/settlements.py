"""Settlements at the end: each payout of a processor is booked once, with its fee.

The processor's truth says for each movement what was paid out, minus which fee, on which
day. From this, and from when an account credits, follow the receipts and postings that the
ledger must have, the money that may still wait, and the claims that may still be held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from paygate.domain.movement import MovementKind
from paygate.domain.settlement import CreditOn
from paygate.testing.simulation.whose import Whose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.testing.processor.journal import Entry
    from paygate.testing.simulation.world import World

_CAME: Final = (MovementKind.CHARGE, MovementKind.CAPTURE)
_RECEIPTS: Final = """
SELECT r.*,
  (SELECT coalesce(sum(p.amount_minor), 0) FROM paygate_posting p
   WHERE p.receipt = r.id AND p.ledger_account = 'settled') AS to_settled_minor,
  (SELECT coalesce(sum(p.amount_minor), 0) FROM paygate_posting p
   WHERE p.receipt = r.id AND p.ledger_account = 'fees') AS to_fees_minor
FROM paygate_receipt r WHERE r.kind NOT IN ('reversal', 'undone')
"""
_SETTLED_EVENTS: Final = """
SELECT count(*) FROM paygate_outbox WHERE aggregate = :payment AND type = 'payment.settled'
"""
_WAITING: Final = """
SELECT p.id, p.account, p.status, p.credit_on, p.conflicted, p.received_minor, p.returned_minor,
  EXISTS (SELECT 1 FROM paygate_outbox o
          WHERE o.aggregate = p.id AND o.type = 'payment.conflicted') AS was_conflicted,
  EXISTS (SELECT 1 FROM paygate_review v
          WHERE v.payment = p.id AND v.cause = 'unidentified') AS was_nobodys,
  (SELECT -coalesce(sum(c.amount_minor), 0) FROM paygate_credit c
   JOIN paygate_receipt r ON r.id = c.receipt
   WHERE r.payment = p.id AND c.amount_minor < 0) AS owed_minor,
  (SELECT coalesce(sum(r.awaiting_minor), 0) FROM paygate_receipt r
   WHERE r.payment = p.id) AS awaiting_minor,
  (SELECT coalesce(sum(a.amount_minor), 0) FROM paygate_allocation a
   WHERE a.payment = p.id AND a.receipt IS NOT NULL) AS allocated_minor,
  (SELECT coalesce(sum(c.amount_minor), 0) FROM paygate_claim c
   WHERE c.payment = p.id AND c.state = 'hard') AS held_minor
FROM paygate_payment p
"""


def check_settlements(world: World, unclear: set[str]) -> None:
    """Compare the payouts with the ledger; *unclear* payments were mistaken for others."""
    _check_booked(world, unclear)
    _check_waiting(world, unclear)


def may_hold(world: World, payment: str, account: str) -> bool:
    """Return whether *payment* may hold its invoices because its money has not settled."""
    if world.profiles[account].credit_on is CreditOn.ACCEPTED:
        return False
    return is_unsettled(world, payment, account)


def is_unsettled(world: World, payment: str, account: str) -> bool:
    """Return whether the processor has not paid out all money received for *payment*."""
    return any(_on_its_way(world, account, entry) for entry in _came(world, account, payment))


def _check_booked(world: World, unclear: set[str]) -> None:
    """Check that each settlement is on its receipt and in the postings, exactly once."""
    for row in world.store.look(_RECEIPTS):
        profile = world.profiles.get(row["account"])
        if profile is None:
            continue
        truth = world.gateways[row["account"]].processor.truth
        entry = truth.movement(row["movement_id"])
        if entry is None:
            continue  # the comparison of movements reports it
        known, expected = _known(row), _expected(_payout(world, row["account"], entry))
        if known != expected and (profile.tells() or known is not None):
            if profile.tells() and entry.payment not in unclear:
                world.violated(
                    "settled", f"{entry.movement_id} settled as {expected}, booked as {known}"
                )
            if expected is None:
                world.violated(
                    "settled", f"{entry.movement_id} has not settled, but is booked as {known}"
                )
        sign = 1 if entry.kind.inward else -1
        posted = (row["to_settled_minor"], row["to_fees_minor"])
        if posted != (sign * (row["settled_minor"] or 0), row["fee_minor"] or 0):
            world.violated("settled", f"{entry.movement_id} is {known}, but posted as {posted}")
        if known is not None:
            world.count("settlement booked")


def _check_waiting(world: World, unclear: set[str]) -> None:
    """Check that money waits until it settles if its account credits on settlement."""
    for row in world.store.look(_WAITING):
        profile = world.profiles.get(row["account"])
        if profile is None or row["id"] in unclear:
            continue
        if row["credit_on"] != profile.credit_on:
            world.violated("waits", f"{row['id']} credits on {row['credit_on']}")
        awaiting = row["awaiting_minor"]
        if profile.credit_on is CreditOn.ACCEPTED:
            if awaiting:
                world.violated(
                    "waits", f"{awaiting} of {row['id']} waits, but should count already"
                )
            continue
        came = _came(world, row["account"], row["id"])
        if came:
            _check_placed(world, row, came)


def _check_placed(world: World, row: Any, came: list[Entry]) -> None:
    """Check that nothing of *came* counts before it settled, and nothing waits after it."""
    id_, account, awaiting = row["id"], row["account"], row["awaiting_minor"]
    if not any(_on_its_way(world, account, entry) for entry in came):
        if awaiting:
            world.violated("waits", f"{awaiting} of {id_} waits, but all of it has settled")
        if row["held_minor"] and not row["conflicted"] and row["status"] == "succeeded":
            world.violated("waits", f"{id_} holds {row['held_minor']}, but all of it has settled")
        [[events]] = world.store.look(_SETTLED_EVENTS, payment=id_)
        if not events:
            world.violated("waits", f"{id_} has settled, but no event reports it")
        world.count("counted when it settled")
        return
    if any(_payout(world, account, entry) for entry in came):
        world.count("settled in part")
        return
    if row["was_conflicted"] or row["was_nobodys"] or id_ in world.judged:
        return  # a clerk assigned it, or will
    stands = max(0, row["received_minor"] - row["returned_minor"])
    # If money is reported as going back before coming back, the customer owes it for a while.
    if row["allocated_minor"] or not stands <= awaiting <= stands + row["owed_minor"]:
        world.violated(
            "waits",
            f"nothing of {id_} has settled: of {stands}, {awaiting} wait, but "
            f"{row['allocated_minor']} are on invoices",
        )
    world.count("never settled")


def _came(world: World, account: str, payment: str) -> list[Entry]:
    journal = world.gateways[account].processor.truth.journal
    whose = Whose(world)
    return [
        entry
        for entry in journal
        if entry.kind in _CAME and whose.payment(account, entry) == payment
    ]


def _payout(world: World, account: str, entry: Entry) -> Mapping[str, Any] | None:
    order = world.gateways[account].processor.truth.orders[entry.reference]
    return order.settled.get(entry.movement_id)


def _on_its_way(world: World, account: str, entry: Entry) -> bool:
    """Return whether the processor has not paid out all of a movement."""
    paid = _payout(world, account, entry)
    return paid is None or paid["settled"]["minor"] + paid["fee"]["minor"] < entry.minor


def _expected(paid: Mapping[str, Any] | None) -> tuple[int, str, int, str, str] | None:
    if paid is None:
        return None
    settled, fee = paid["settled"], paid["fee"]
    return (
        settled["minor"],
        settled["currency"],
        fee["minor"],
        fee["currency"],
        paid["settled_on"],
    )


def _known(row: Any) -> tuple[int, str, int, str, str] | None:
    if row["settled_minor"] is None and row["fee_minor"] is None:
        return None
    return (
        row["settled_minor"],
        row["settled_currency"],
        row["fee_minor"],
        row["fee_currency"],
        row["settled_on"],
    )
