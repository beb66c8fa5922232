"""What programs read: rows of the ledger as plain values, under keys that do not change."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from paygate.cli import show

if TYPE_CHECKING:
    from paygate.domain.credit import Credit
    from paygate.domain.invoice import Invoice
    from paygate.domain.link import PaymentLink
    from paygate.domain.payment import Payment
    from paygate.domain.prepayment import Prepayment
    from paygate.domain.receipt import ReceiptLine
    from paygate.domain.result import OperationResult


def invoice(of: Invoice) -> dict[str, Any]:
    """Return an invoice, with the amount that is open."""
    return {**show.plain(of), "open": show.plain(of.open)}


def prepayment(of: Prepayment) -> dict[str, Any]:
    """Return a prepayment, with the amount that is open and the money that waits."""
    return {**show.plain(of), "open": show.plain(of.open), "waiting": show.plain(of.waiting)}


def link(of: PaymentLink, base_url: str | None = None) -> dict[str, Any]:
    """Return a payment link without its token; with *base_url*, with its address."""
    written: dict[str, Any] = show.plain(replace(of, token=None))
    del written["token"]
    return written if base_url is None else {**written, "address": of.address(base_url)}


def payment(of: Payment) -> dict[str, Any]:
    """Return a payment; an action includes its type."""
    written: dict[str, Any] = show.plain(of)
    if of.action is not None:
        written["action"]["type"] = type(of.action).__name__
    return written


def result(of: OperationResult) -> dict[str, Any]:
    """Return the result of an operation; its payment is written next to it."""
    written: dict[str, Any] = show.plain(of)
    del written["payment"]
    return written


def receipt_line(of: ReceiptLine) -> dict[str, Any]:
    """Return a receipt, with the names it has elsewhere."""
    written: dict[str, Any] = show.plain(of)
    return {**written.pop("receipt"), **written}


def credit(of: Credit) -> dict[str, Any]:
    """Return a lot of credit, with the amount that is free."""
    return {**show.plain(of), "free": show.plain(of.free)}
