"""Locking the roots of what a unit of work is about: a payment's customer, a feed, a sink.

The customer of an invoice or an attempt never changes, so it may be read before the lock. A payment
whose customer is unknown may get one; that is read again after its row is locked.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from paygate.ledger.roots import LEDGER, Root, RootKind, notice_root

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from paygate.ledger.tx import Tx

_PAYMENT: Final = "SELECT customer, payer FROM paygate_payment WHERE tenant = :tenant AND id = :id"
_ITEM: Final = """
SELECT customer FROM paygate_item WHERE tenant = :tenant AND kind = 'invoice' AND number = :id
UNION ALL
SELECT customer FROM paygate_item WHERE tenant = :tenant AND id = :id
"""
_ATTEMPT: Final = """
SELECT payment, method_plan FROM paygate_attempt WHERE tenant = :tenant AND id = :id
"""
_METHOD: Final = "SELECT customer FROM paygate_method WHERE tenant = :tenant AND id = :id"
_RECEIPT: Final = "SELECT payment FROM paygate_receipt WHERE tenant = :tenant AND id = :id"
_WRITE_OFF: Final = """
SELECT i.customer FROM paygate_write_off w JOIN paygate_item i ON i.id = w.item
WHERE w.tenant = :tenant AND w.id = :id
"""
_CALLBACK: Final = "SELECT account, event_id FROM paygate_inbox WHERE tenant = :tenant AND id = :id"


def hold_ledger(tx: Tx) -> None:
    """Lock the whole ledger."""
    tx.hold(LEDGER)


def hold(
    tx: Tx,
    *,
    payments: Iterable[str] = (),
    items: Iterable[str] = (),
    customers: Iterable[str] = (),
) -> None:
    """
    Lock the customers and payers of *payments*, the customers of *items*, and *customers*.

    Payments are given by id, invoices by number or id. Those that do not exist are ignored.
    """
    if not tx.locks:
        return
    items, payments, customers = [*items], [*payments], [*customers]
    match (items, payments, customers):
        case ([one], [], []) if tx.hold_owner("invoice", one):
            return
        case ([], [one], []) if tx.hold_owner("payment", one):
            return
        case _:
            pass
    wanted = [*_customers(tx, customers)]
    for name in items:
        wanted += _customers(tx, (row["customer"] for row in tx.peek(_ITEM, _named(tx, name))))
    for id_ in payments:
        wanted += _of_payment(tx, id_)
    tx.hold(*wanted)
    unassigned = [root.name for root in wanted if root.kind is RootKind.PAYMENT]
    # It may have got a customer while this transaction waited for its row.
    tx.hold(*(root for id_ in unassigned for root in _of_payment(tx, id_)))


def hold_payment(tx: Tx, id_: str) -> None:
    """Lock the customer and the payer of a payment."""
    hold(tx, payments=(id_,))


def own_payment(tx: Tx, id_: str) -> None:
    """Count a payment without a customer, which this unit creates, as locked."""
    tx.own(Root(RootKind.PAYMENT, tx.tenant, id_))


def hold_attempt(tx: Tx, id_: str) -> None:
    """Lock the customer of an attempt."""
    if not tx.locks or tx.hold_owner("attempt", id_):
        return
    for row in tx.peek(_ATTEMPT, _named(tx, id_)):
        if row["payment"]:
            hold(tx, payments=(row["payment"],))
        else:
            hold(tx, customers=(json.loads(row["method_plan"])["customer"],))


def hold_method(tx: Tx, id_: str) -> None:
    """Lock the customer of a stored method."""
    _hold_customer_of(tx, _METHOD, id_)


def hold_write_off(tx: Tx, id_: str) -> None:
    """Lock the customer of a write-off."""
    _hold_customer_of(tx, _WRITE_OFF, id_)


def hold_receipt(tx: Tx, id_: str) -> None:
    """Lock the customer of a receipt."""
    if tx.locks:
        hold(tx, payments=[row["payment"] for row in tx.peek(_RECEIPT, _named(tx, id_))])


def hold_notices(tx: Tx, account: str, event_ids: Iterable[str]) -> None:
    """Lock the callbacks of *account* with these event ids."""
    if tx.locks:
        tx.hold(*(notice_root(tx.tenant, account, each) for each in event_ids))


def hold_callback(tx: Tx, id_: int) -> None:
    """Lock a callback."""
    if tx.locks:
        for row in tx.peek(_CALLBACK, {"tenant": tx.tenant, "id": id_}):
            hold_notices(tx, row["account"], (row["event_id"],))


def hold_feed(tx: Tx, account: str, event_ids: Iterable[str] = ()) -> None:
    """Lock the feed of an account, and the callbacks with these event ids."""
    if tx.locks:
        notices = {notice_root(tx.tenant, account, each) for each in event_ids}
        tx.hold(*notices, Root(RootKind.FEED, tx.tenant, account))


def bank_root(tx: Tx, account: str) -> Root:
    """Return the root of a bank account of the merchant."""
    return Root(RootKind.BANK, tx.tenant, account)


def hold_bank(tx: Tx, account: str) -> None:
    """Lock a bank account of the merchant."""
    if tx.locks:
        tx.hold(bank_root(tx, account))


def hold_sink(tx: Tx, name: str, *more: Root) -> None:
    """Lock a sink, and *more*."""
    tx.hold(Root(RootKind.SINK, tx.tenant, name), *more)


def _hold_customer_of(tx: Tx, sql: str, id_: str) -> None:
    if tx.locks:
        hold(tx, customers=[row["customer"] for row in tx.peek(sql, _named(tx, id_))])


def _of_payment(tx: Tx, id_: str) -> Iterator[Root]:
    for row in tx.peek(_PAYMENT, _named(tx, id_)):
        if not row["customer"]:
            yield Root(RootKind.PAYMENT, tx.tenant, id_)
        yield from _customers(tx, (row["customer"], row["payer"]))


def _customers(tx: Tx, ids: Iterable[str]) -> Iterator[Root]:
    return (Root(RootKind.CUSTOMER, tx.tenant, each) for each in ids if each)


def _named(tx: Tx, id_: str) -> dict[str, Any]:
    return {"tenant": tx.tenant, "id": id_}
