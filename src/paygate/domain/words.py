"""The words that a host may pass instead of a member of an enum.

They are written out for type checkers, which then find a word that means nothing before the
program runs. A host that gets a word from elsewhere makes a member of it: ``Kind(text)``.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

KindWord: TypeAlias = Literal[
    "card",
    "e_check",
    "redirect",
    "voucher",
    "qr",
    "push",
    "bitcoin",
    "terminal",
    "check",
    "cash",
    "transfer",
    "credit",
]
"""The kinds of payment, as texts: see `Kind`."""

RecordedBy: TypeAlias = Literal[
    "check",
    "cash",
    "transfer",
]
"""How money can come in by hand."""

SentBackBy: TypeAlias = Literal[
    "cash",
    "check",
    "transfer",
    "bitcoin",
]
"""How money can be sent back by hand."""

ChargeReasonWord: TypeAlias = Literal[
    "recurring",
    "installment",
    "unscheduled",
    "resubmission",
    "delayed",
    "reauthorization",
    "no_show",
]
"""By which agreement a stored method is charged: see `ChargeReason`."""

RefundToWord: TypeAlias = Literal[
    "reopen",
    "credit_note",
    "from_credit",
]
"""What a refund does to the invoices: see `RefundTo`."""

PaysWord: TypeAlias = Literal[
    "oldest_due",
    "balance",
]
"""What money for a payer's number pays: see `Pays`."""

PaymentStatusWord: TypeAlias = Literal[
    "processing",
    "requires_action",
    "authorized",
    "succeeded",
    "declined",
    "failed",
    "canceled",
    "expired",
    "unknown",
]
"""Where a payment stands: see `PaymentStatus`."""

InvoiceStatusWord: TypeAlias = Literal[
    "draft",
    "open",
    "partially_paid",
    "paid",
    "written_off",
    "void",
]
"""Where an invoice stands: see `InvoiceStatus`."""

InboxStateWord: TypeAlias = Literal[
    "new",
    "applied",
    "ignored",
    "orphan",
    "failed",
    "conflicted",
    "dismissed",
]
"""What became of a callback: see `InboxState`."""

DisputeStateWord: TypeAlias = Literal[
    "opened",
    "lost",
    "won",
]
"""Where a dispute stands: see `DisputeState`."""

KeyedVerb: TypeAlias = Literal[
    "collect",
    "authorize",
    "top_up",
    "record",
    "pay_from_credit",
    "capture",
    "refund",
    "complete",
    "withdraw_page",
    "cancel",
]
"""The verbs whose payment is found by the key of a call."""
