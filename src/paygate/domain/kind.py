"""Kinds and operations: how money travels, and what can be asked of a gateway.

The two together are the question that `Traits.offers` answers.
"""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """How money travels: the rail of a payment.

    A kind is a way of paying, and not a brand: what a payer does, when the result is known,
    and how the money can come back are alike for all payments of one kind.
    """

    CARD = "card"
    """A card, given as a token or number; also a wallet that hands over a card's token."""
    E_CHECK = "e_check"
    """A debit of a bank account under a mandate: ACH, SEPA, Bacs. The result takes days."""
    REDIRECT = "redirect"
    """A page of the processor or of a bank, and wallets that have one: PayPal, iDEAL, Klarna."""
    VOUCHER = "voucher"
    """A slip with a number that is paid in cash or at a bank's counter, in days."""
    QR = "qr"
    """A code that the payer's bank or wallet scans: Pix, UPI, PayNow, static or for one sum."""
    PUSH = "push"
    """A question on the payer's phone, which the payer approves there: M-Pesa, Swish, MB WAY."""
    BITCOIN = "bitcoin"
    """An address on the Bitcoin chain."""
    TERMINAL = "terminal"
    """A card terminal in front of the payer."""
    CHECK = "check"
    """A paper check."""
    CASH = "cash"
    """Cash over the counter."""
    TRANSFER = "transfer"
    """A transfer that the payer's bank made by itself."""
    CREDIT = "credit"
    """The customer's own credit in the ledger; no money moves."""

    @property
    def recorded(self) -> bool:
        """Whether money of this kind comes in by hand, without a gateway."""
        return self in (Kind.CHECK, Kind.CASH, Kind.TRANSFER)

    @property
    def returnable_for(self) -> int:
        """For how many banking days after settlement the payer's bank usually returns it."""
        return 5 if self is Kind.E_CHECK else 0


class Operation(StrEnum):
    """What can be asked of a gateway."""

    CHARGE = "charge"
    """Collect an amount, or begin to: open a page, print a slip, ask a bank."""
    AUTHORIZE = "authorize"
    """Hold an amount, to be captured later."""
    COMPLETE = "complete"
    """Finish what the payer approved on a page."""
    CAPTURE = "capture"
    """Take all or a part of what is held."""
    VOID = "void"
    """Undo a charge before it settles, or let go of what is held."""
    REFUND = "refund"
    """Send money back."""
    WITHDRAW = "withdraw"
    """Make a page or slip unpayable."""
    ENROLL = "enroll"
    """Store a method."""
    FORGET = "forget"
    """Delete a stored method."""
