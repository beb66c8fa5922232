"""Finding: what the ledger has under an id or number that a person wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from paygate.domain.payment import RECORDED
from paygate.domain.text import shown, spelled_alike
from paygate.errors import NotFoundError, UnknownGateway
from paygate.ledger import accounts, items, methods, outbox, payments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.ledger.tx import Tx

T = TypeVar("T")


def aggregate(tx: Tx, written: str) -> str:
    """
    Return the id of what events are about: a payment, a method, an invoice by number or id.

    Raises `NotFoundError` if there is nothing of that id, and no event about it.
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
        raise NotFoundError(
            f"there is no payment, invoice or stored method {shown(written)} in this ledger",
            argument="aggregate",
        )
    return written


def of_account(tx: Tx, account: str | None, found: Sequence[T]) -> list[T]:
    """
    Return what was *found* of a gateway account.

    Raises `UnknownGateway` if there is nothing, and no process was ever opened with that account:
    a name that was mistyped would be shown as an account without payments.
    """
    if account not in (None, RECORDED) and not found:
        known = [each.name for each in accounts.all_known(tx)]
        if account not in known:
            raise UnknownGateway(
                f"this ledger has nothing of a gateway account {shown(account)}; it knows: "
                f"{', '.join(known) or 'none'}",
                name=account,
                known=known,
                argument="account",
            )
    return list(found)


def sink(tx: Tx, name: str) -> str:
    """Return *name* if a sink or subscriber of that name ever read, or raise `NotFoundError`."""
    known = outbox.sinks(tx)
    if name not in known:
        raise NotFoundError(
            f"there is no sink {shown(name)} in this ledger; there are: "
            f"{', '.join(known) or 'none'}",
            argument="sink",
        )
    return name
