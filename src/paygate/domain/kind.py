"""Kinds and operations: how money travels, and what a gateway can be asked to do.

Together they are the arguments of `Traits.offers`.
"""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """How money travels: the rail of a payment.

    A kind is a way of paying, not a brand. All payments of one kind are alike in what the payer
    does, when the result is known, and how the money can come back.
    """

    CARD = "card"
    """A card, given as a token or a number; also a wallet that passes on a card's token."""
    E_CHECK = "e_check"
    """A debit of a bank account under a mandate: ACH, SEPA, Bacs. The result takes days."""
    REDIRECT = "redirect"
    """A page of the processor or of a bank, and wallets that have one: PayPal, iDEAL, Klarna."""
    VOUCHER = "voucher"
    """A slip with a number that is paid in cash or at a bank's counter within days."""
    QR = "qr"
    """A code that the payer's bank or wallet scans: Pix, UPI, PayNow, static or for one amount."""
    PUSH = "push"
    """A request on the payer's phone, which the payer approves there: M-Pesa, Swish, MB WAY."""
    BITCOIN = "bitcoin"
    """An address on the Bitcoin chain."""
    TERMINAL = "terminal"
    """A card terminal in front of the payer; its sales are recorded by hand."""
    CHECK = "check"
    """A paper check."""
    CASH = "cash"
    """Cash over the counter."""
    TRANSFER = "transfer"
    """A bank transfer that the payer made on their own initiative."""
    CREDIT = "credit"
    """The customer's own credit in the ledger; no money moves."""

    @property
    def recorded(self) -> bool:
        """Whether money of this kind is received by hand, without a gateway."""
        return self in (Kind.CHECK, Kind.CASH, Kind.TRANSFER, Kind.TERMINAL)

    @property
    def returnable_for(self) -> int:
        """For how many banking days after settlement the payer's bank can usually return it."""
        return 5 if self is Kind.E_CHECK else 0


class Operation(StrEnum):
    """What a gateway can be asked to do."""

    CHARGE = "charge"
    """Collect an amount, or start to: open a page, print a slip, ask a bank."""
    AUTHORIZE = "authorize"
    """Hold an amount, to be captured later."""
    COMPLETE = "complete"
    """Complete a charge that the payer approved on a page."""
    CAPTURE = "capture"
    """Capture all or part of what is held."""
    VOID = "void"
    """Void a charge before it settles, or release what is held."""
    REFUND = "refund"
    """Send money back."""
    WITHDRAW = "withdraw"
    """Withdraw a page or slip, so that it can no longer be paid."""
    ENROLL = "enroll"
    """Store a method."""
    FORGET = "forget"
    """Delete a stored method."""
