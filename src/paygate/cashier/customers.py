"""Customers: their time zone and contact facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnLedger
from paygate.cashier.verbs import verb
from paygate.service.flow import look, transact

if TYPE_CHECKING:
    from paygate.domain.customer import Customer
    from paygate.ledger.tx import Tx
    from paygate.service.flow import Flow


class Customers(OnLedger):
    """Verbs about customers."""

    @verb
    def save_customer(self, customer: Customer) -> Flow[Customer]:
        """
        Store a customer's time zone and contact facts, and return what is stored.

        A zone that is given replaces the stored one. Contact facts are one record: if any is
        given, they replace all stored ones; if none is given, the stored ones are kept.
        """
        from paygate.ledger import customers

        given = arguments.person(customer, "customer")

        def work(tx: Tx) -> Customer:
            id_ = customers.save(tx, given)
            return customers.find(tx, id_) or given

        return (yield from transact(work))

    @verb
    def erase_contact(self, customer: Customer | str) -> Flow[None]:
        """Erase a customer's contact facts; the books keep only the id."""
        from paygate.ledger import customers

        id_ = arguments.customer_id(customer, "customer")
        yield from transact(lambda tx: customers.erase_contact(tx, id_))

    @verb
    def customer(self, id_: str) -> Flow[Customer | None]:
        """Return a customer with the stored contact facts; None if the ledger has no record."""
        from paygate.ledger import customers

        which = arguments.customer_id(id_, "id_")
        return (yield from look(lambda tx: customers.find(tx, which)))
