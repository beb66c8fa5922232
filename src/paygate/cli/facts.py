"""What programs read: rows of the ledger as plain values, under keys that stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paygate.cli import show

if TYPE_CHECKING:
    from paygate.domain.credit import Credit
    from paygate.domain.invoice import Invoice
    from paygate.domain.payment import Payment
    from paygate.domain.receipt import ReceiptLine
    from paygate.domain.result import OperationResult


def invoice(of: Invoice) -> dict[str, Any]:
    """Write an invoice, with what is open on it."""
    return {**show.plain(of), "open": show.plain(of.open)}


def payment(of: Payment) -> dict[str, Any]:
    """Write a payment; an action says of which type it is."""
    written: dict[str, Any] = show.plain(of)
    if of.action is not None:
        written["action"]["type"] = type(of.action).__name__
    return written


def result(of: OperationResult) -> dict[str, Any]:
    """Write what became of an operation; its payment is written beside it."""
    written: dict[str, Any] = show.plain(of)
    del written["payment"]
    return written


def receipt_line(of: ReceiptLine) -> dict[str, Any]:
    """Write a receipt, and beside it what names it elsewhere."""
    written: dict[str, Any] = show.plain(of)
    return {**written.pop("receipt"), **written}


def credit(of: Credit) -> dict[str, Any]:
    """Write a lot of credit, with what is free of it."""
    return {**show.plain(of), "free": show.plain(of.free)}
