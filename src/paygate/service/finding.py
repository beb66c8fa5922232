"""Finding: records of the ledger by an id or number that a person entered."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from paygate import logs
from paygate.domain import short_reference
from paygate.domain.customer import Customer
from paygate.domain.invoice import Invoice
from paygate.domain.payable import OpenItem, Payable, Share
from paygate.domain.payment import RECORDED
from paygate.domain.prepayment import Prepayment
from paygate.domain.text import IDS, spelled_alike
from paygate.errors import (
    GatewayNotFound,
    InvoiceNotFound,
    MethodNotFound,
    PaymentNotFound,
    PrepaymentNotFound,
    RecordNotFound,
    SinkNotFound,
)
from paygate.ledger import (
    accounts,
    holding,
    items,
    methods,
    outbox,
    payments,
    prepayments,
    receipts,
    reversals,
)
from paygate.printing import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from paygate.domain.method import PaymentMethod
    from paygate.domain.payment import Payment
    from paygate.domain.receipt import Receipt
    from paygate.domain.reversal import WriteOff
    from paygate.ledger.tx import Tx

T = TypeVar("T")


def hold(
    tx: Tx,
    wanted: Iterable[Payable],
    *customers: Customer | str | None,
    payments: Iterable[str] = (),
) -> None:
    """Lock the customers of the items *wanted*, and more *customers* and *payments*."""
    if tx.locks:
        names = (each.invoice if isinstance(each, Share) else each for each in wanted)
        holding.hold(
            tx,
            payments=payments,
            items=[spelled_alike(each) if isinstance(each, str) else each.id for each in names],
            customers=[
                each.id if isinstance(each, Customer) else each for each in customers if each
            ],
        )


def payment(tx: Tx, which: str) -> Payment:
    """Return a payment, or raise `PaymentNotFound`."""
    found = payments.by_id(tx, which)
    if found is None:
        # The most common mistake is to pass the host's own key instead of an id.
        hint = "; payment_by_key, or 'paygate payment show --key', finds one by its key"
        hint = "" if which.startswith("pay_") else hint
        raise PaymentNotFound(
            f"there is no payment {shown(which)} in this ledger{hint}", payment=which
        )
    return found


def payment_by_reference(tx: Tx, written: str) -> Payment:
    """Return the payment with a short reference, or raise `PaymentNotFound`."""
    reference = short_reference.read(written)
    id_ = None if reference is None else payments.by_short_reference(tx, reference)
    if id_ is None:
        what = "it is not eight letters and digits" if reference is None else "nobody has it"
        raise PaymentNotFound(
            f"there is no payment with the reference {shown(written)} in this ledger: {what}",
            reference=written,
            argument="reference",
        )
    return payment(tx, id_)


def receipt(tx: Tx, which: str) -> Receipt:
    """Return a receipt by its id, or raise `RecordNotFound`."""
    found = receipts.by_id(tx, which)
    if found is None:
        raise RecordNotFound(
            f"there is no receipt {shown(which)} in this ledger", argument="receipt"
        )
    return found


def payment_again(tx: Tx, which: str) -> Payment:
    """Return the payment of a key that was used before; nothing is stored or sent."""
    found = payment(tx, which)
    about = logs.About(account=found.account, payment=found.id)
    tx.log("verb.repeated", "the key of this payment was used again; nothing was sent", about)
    return replace(found, repeated=True)


def invoice(tx: Tx, which: Invoice | str, argument: str = "invoice") -> Invoice:
    """Return an invoice by number or id, or raise `InvoiceNotFound` that names *argument*."""
    found = items.by_id(tx, which.id) if isinstance(which, Invoice) else _named(tx, which)
    if not isinstance(found, Invoice):
        name = which.number if isinstance(which, Invoice) else which
        raise InvoiceNotFound(
            f"there is no invoice {shown(name)} in this ledger", invoice=name, argument=argument
        )
    return found


def prepayment(tx: Tx, which: Prepayment | str, argument: str = "prepayment") -> Prepayment:
    """Return a prepayment by id, or raise `PrepaymentNotFound` that names *argument*."""
    id_ = which if isinstance(which, str) else which.id
    found = prepayments.by_id(tx, id_)
    if found is None:
        raise PrepaymentNotFound(
            f"there is no prepayment {shown(id_)} in this ledger", prepayment=id_, argument=argument
        )
    return found


def item(tx: Tx, which: OpenItem | str, argument: str = "items") -> OpenItem:
    """Return an invoice by number or id, or a prepayment by id, or raise `InvoiceNotFound`."""
    if isinstance(which, Prepayment):
        return prepayment(tx, which, argument)
    if isinstance(which, Invoice):
        return invoice(tx, which, argument)
    found = _named(tx, which)
    if found is None:
        raise InvoiceNotFound(
            f"there is no invoice or prepayment {shown(which)} in this ledger",
            invoice=which,
            argument=argument,
        )
    return found


def _named(tx: Tx, which: str) -> OpenItem | None:
    """Return the item with an id or number; an id is never taken for the number of another."""
    name = spelled_alike(which)
    if name.startswith(IDS):
        return items.by_id(tx, name)
    return items.by_number(tx, name) or items.by_id(tx, name)


def method(tx: Tx, id_: str) -> PaymentMethod:
    """Return a stored method, even a forgotten one, or raise `MethodNotFound`."""
    found = methods.by_id(tx, id_)
    if found is None:
        raise MethodNotFound(f"there is no stored method {shown(id_)} in this ledger")
    return found


def write_off(tx: Tx, which: str) -> WriteOff:
    """Return a write-off, or raise `RecordNotFound`."""
    found = reversals.write_off(tx, which)
    if found is None:
        raise RecordNotFound(f"there is no write-off {shown(which)} in this ledger")
    return found


def aggregate(tx: Tx, written: str) -> str:
    """
    Return the id of the subject of events: a payment, a method, or an invoice by number or id.

    Raises `RecordNotFound` if nothing has that id, and no event is about it.
    """
    number = spelled_alike(written)
    invoice = items.by_number(tx, number) or items.by_id(tx, number)
    if invoice is not None:
        return invoice.id
    known = (
        payments.by_id(tx, written)
        or methods.by_id(tx, written)
        or outbox.of_aggregate(tx, written, 0, 1)
    )
    if not known:
        raise RecordNotFound(
            f"there is no payment, invoice or stored method {shown(written)} in this ledger",
            argument="aggregate",
        )
    return written


def of_account(tx: Tx, account: str | None, found: Sequence[T]) -> list[T]:
    """
    Return *found*, the records of a gateway account, as a list.

    Raises `GatewayNotFound` if it is empty and no process was ever opened with that account;
    otherwise a mistyped name would look like an account without payments.
    """
    if account not in (None, RECORDED) and not found:
        known = [each.name for each in accounts.all_known(tx)]
        if account not in known:
            raise GatewayNotFound(
                f"this ledger has nothing of a gateway account {shown(account)}; it knows: "
                f"{', '.join(known) or 'none'}",
                name=account,
                known=known,
                argument="account",
            )
    return list(found)


def event(tx: Tx, id_: str) -> int:
    """Return the position of an event, or raise `RecordNotFound`."""
    position = outbox.position_of(tx, id_)
    if position is None:
        raise RecordNotFound(f"there is no event {shown(id_)} in this ledger", argument="event")
    return position


def sink(tx: Tx, name: str) -> str:
    """Return *name* if a sink or subscriber of that name exists, or raise `SinkNotFound`."""
    known = outbox.sinks(tx)
    if name not in known:
        raise SinkNotFound(
            f"there is no sink {shown(name)} in this ledger; there are: "
            f"{', '.join(known) or 'none'}",
            name=name,
            known=known,
            argument="sink",
        )
    return name
