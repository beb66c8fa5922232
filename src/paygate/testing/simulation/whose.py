"""Whose: the payments that money for a payer's number became, and those a bank disturbed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from paygate.testing.processor.journal import Entry
    from paygate.testing.processor.order import Order
    from paygate.testing.simulation.ledger import WatchedLedger

_UNASKED: Final = """
SELECT a.account, a.reference, p.id FROM paygate_payment p
JOIN paygate_attempt a ON a.payment = p.id AND a.operation = 'charge'
WHERE p.payer_number <> ''
"""


class BankedWorld(Protocol):
    """What this module needs from a world: its ledger, and what the banks did."""

    @property
    def store(self) -> WatchedLedger:
        """The ledger."""
        ...

    @property
    def disturbed(self) -> set[str]:
        """The payments, and the references of unasked money, that a bank changed by itself."""
        ...


class Whose:
    """A look-up of the payment that money at a processor became, including unasked money."""

    def __init__(self, world: BankedWorld) -> None:
        self._payments = {
            (str(row["account"]), str(row["reference"])): str(row["id"])
            for row in world.store.look(_UNASKED)
        }

    def payment(self, account: str, of: Order | Entry) -> str:
        """Return the payment of an order or a movement; empty if it does not exist yet."""
        return of.payment or self._payments.get((account, of.reference), "")


def disturbed(world: BankedWorld) -> set[str]:
    """Return the payments to which the bank did something, including those for a number."""
    rows = world.store.look(_UNASKED)
    return world.disturbed | {str(row["id"]) for row in rows if row["reference"] in world.disturbed}
