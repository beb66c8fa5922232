"""Finding: what the ledger has under an id or number that a person wrote."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from paygate import logs
from paygate.domain.invoice import Invoice
from paygate.domain.payment import RECORDED
from paygate.domain.text import spelled_alike
from paygate.errors import (
    GatewayNotFound,
    InvoiceNotFound,
    MethodNotFound,
    PaymentNotFound,
    RecordNotFound,
)
from paygate.ledger import accounts, items, methods, outbox, payments, reversals
from paygate.printing import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.domain.method import PaymentMethod
    from paygate.domain.payment import Payment
    from paygate.domain.reversal import WriteOff
    from paygate.ledger.tx import Tx

T = TypeVar("T")


def payment(tx: Tx, which: str) -> Payment:
    """Return a payment, or raise `PaymentNotFound`."""
    found = payments.by_id(tx, which)
    if found is None:
        # A host's own key is what is most often given in the place of an id.
        hint = "; payment_by_key, or 'paygate payment show --key', finds one by its key"
        hint = "" if which.startswith("pay_") else hint
        raise PaymentNotFound(
            f"there is no payment {shown(which)} in this ledger{hint}", payment=which
        )
    return found


def payment_again(tx: Tx, which: str) -> Payment:
    """Return the payment of a key that was used before: this call stores and sends nothing."""
    found = payment(tx, which)
    about = logs.About(account=found.account, payment=found.id)
    tx.log("verb.repeated", "the key of this payment was used again; nothing was sent", about)
    return replace(found, repeated=True)


def invoice(tx: Tx, which: Invoice | str, argument: str = "invoice") -> Invoice:
    """Return an invoice by number or id, or raise `InvoiceNotFound`, which names the *argument*."""
    if isinstance(which, Invoice):
        found = items.by_id(tx, which.id)
    else:
        number = spelled_alike(which)
        found = items.by_number(tx, number) or items.by_id(tx, number)
    if found is None:
        name = which.number if isinstance(which, Invoice) else which
        raise InvoiceNotFound(
            f"there is no invoice {shown(name)} in this ledger", invoice=name, argument=argument
        )
    return found


def method(tx: Tx, id_: str) -> PaymentMethod:
    """Return a stored method, also one that was forgotten, or raise `MethodNotFound`."""
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
    Return the id of what events are about: a payment, a method, an invoice by number or id.

    Raises `RecordNotFound` if there is nothing of that id, and no event about it.
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
    Return what was *found* of a gateway account.

    Raises `GatewayNotFound` if there is nothing, and no process was ever opened with that account:
    a name that was mistyped would be shown as an account without payments.
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


def sink(tx: Tx, name: str) -> str:
    """Return *name* if a sink or subscriber of that name ever read, or raise `RecordNotFound`."""
    known = outbox.sinks(tx)
    if name not in known:
        raise RecordNotFound(
            f"there is no sink {shown(name)} in this ledger; there are: "
            f"{', '.join(known) or 'none'}",
            argument="sink",
        )
    return name
