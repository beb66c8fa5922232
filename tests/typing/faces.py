"""Each verb has one definition, and an exact type on each face. Nothing here runs."""

import sqlite3
from collections.abc import Callable, Coroutine
from typing import Any, assert_type

from paygate import AsyncCashier, Cashier, Invoice, Money, Payment, Reversal, Stopped, Within
from paygate.cashier.desk import Desk
from paygate.service.flow import Flow
from paygate.testing import FakeGateway


def at_once(cashier: Cashier) -> None:
    invoice = cashier.issue(
        number="INV-7", customer="C-1", total=Money.of("USD", "30"), due="2026-12-01"
    )
    assert_type(invoice, Invoice)
    payment = cashier.collect([invoice], via="card", method="tok_visa", key="checkout-7")
    assert_type(payment, Payment)
    assert_type(cashier.reverse(payment, reason="check returned"), Reversal)
    assert_type(cashier.recover(), list[Payment])

    cashier.collect([invoice], via="card")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    cashier.issue(number=7)  # type: ignore[call-arg,arg-type]  # pyright: ignore[reportCallIssue]


async def awaited(cashier: AsyncCashier) -> None:
    invoice = await cashier.issue(
        number="INV-7", customer="C-1", total=Money.of("USD", "30"), due="2026-12-01"
    )
    assert_type(invoice, Invoice)
    payment = await cashier.collect([invoice], via="card", method="tok_visa", key="checkout-7")
    assert_type(payment, Payment)

    await cashier.collect([invoice], via="card")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def inside(cashier: Cashier, connection: sqlite3.Connection, invoice: Invoice) -> None:
    within = cashier.within(connection)
    assert_type(within.record(invoice, by="check", key="check-1042"), Payment)

    # What would send something is not offered inside a transaction of the host.
    within.collect  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue,reportUnknownMemberType]  # noqa: B018


def without_a_face(desk: Desk) -> None:
    assert_type(desk.invoice("INV-7"), Flow[Invoice])
    desk.invoice()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


class Portal(Cashier):
    """A host's own cashier."""

    def paid(self, number: str) -> bool:
        """Return whether an invoice is paid."""
        invoice = self.invoice(number)
        assert_type(invoice, Invoice)
        return not invoice.open.minor


def a_verb_is_a_function_of_its_arguments(
    cashier: Cashier, later: AsyncCashier, within: Within
) -> None:
    assert_type(cashier.tenant_is_new, Callable[[], bool])
    assert_type(later.tenant_is_new, Callable[[], Coroutine[Any, Any, bool]])
    assert_type(within.sending_stopped, Callable[[], Stopped | None])


def the_type_survives_opening() -> None:
    with Cashier.open("sqlite://", gateways={"card": FakeGateway()}) as cashier:
        assert_type(cashier, Cashier)
        assert_type(cashier.acting_as("clerk-7"), Cashier)
