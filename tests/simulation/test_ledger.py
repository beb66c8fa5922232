"""The ledger of a schedule: the next one finds it empty."""

from __future__ import annotations

from paygate.testing.simulation.ledger import SimulatedStore

_CUSTOMER = (
    "INSERT INTO paygate_customer (tenant, id, zone, created_at, checksum) "
    "VALUES ('main', 'C-1', '', '', 0)"
)
_CUSTOMERS = "SELECT id FROM paygate_customer"


def test_the_next_schedule_finds_the_ledger_empty() -> None:
    store = SimulatedStore.fresh()
    store.connection.execute(_CUSTOMER)
    written = [tuple(row) for row in store.look(_CUSTOMERS)]
    store.give_back()

    again = SimulatedStore.fresh()

    assert again is store
    assert written == [("C-1",)]
    assert again.look(_CUSTOMERS) == []
    assert b"C-1" not in again.connection.serialize()
    again.give_back()


def test_a_transaction_that_was_left_open_does_not_reach_the_next_schedule() -> None:
    store = SimulatedStore.fresh()
    store.connection.execute("BEGIN IMMEDIATE")
    store.connection.execute(_CUSTOMER)
    store.give_back()

    again = SimulatedStore.fresh()

    assert again is not store
    assert again.look(_CUSTOMERS) == []
    again.give_back()
