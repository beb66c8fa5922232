"""The words that a host may pass instead of a member of an enum.

They are listed for type checkers, which then find an unknown word before the
program runs. A host that gets a word at run time converts it to a member: ``Kind(text)``.
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
    "terminal",
]
"""How money can be received by hand."""

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
"""The agreement under which a stored method is charged: see `ChargeReason`."""

RefundToWord: TypeAlias = Literal[
    "reopen",
    "credit_note",
    "from_credit",
]
"""What a refund does to the invoices: see `RefundTo`."""

LineStateWord: TypeAlias = Literal[
    "open",
    "explained",
    "ignored",
]
"""Whether something explains a line of a bank account: see `LineState`."""

StatementFormatWord: TypeAlias = Literal[
    "camt.053",
    "camt.052",
    "camt.054",
    "mt940",
    "bai2",
    "ofx",
    "csv",
]
"""The format of a bank statement: see `StatementFormat`."""

PaysWord: TypeAlias = Literal[
    "oldest_due",
    "balance",
]
"""What money for a payer number pays: see `Pays`."""

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
"""The status of a payment: see `PaymentStatus`."""

InvoiceStatusWord: TypeAlias = Literal[
    "draft",
    "open",
    "partially_paid",
    "paid",
    "written_off",
    "void",
]
"""The status of an invoice: see `InvoiceStatus`."""

PrepaymentStatusWord: TypeAlias = Literal[
    "open",
    "partially_paid",
    "paid",
    "balanced",
    "replaced",
    "closed",
]
"""The status of a prepayment: see `PrepaymentStatus`."""

LinkStatusWord: TypeAlias = Literal[
    "active",
    "used",
    "revoked",
    "expired",
]
"""The status of a payment link: see `LinkStatus`."""

OnRestWord: TypeAlias = Literal[
    "keep",
    "credit",
]
"""What happens to money of a prepayment that exceeds the invoice: see `OnRest`."""

InboxStateWord: TypeAlias = Literal[
    "new",
    "applied",
    "ignored",
    "orphan",
    "failed",
    "conflicted",
    "dismissed",
]
"""The state of a stored callback: see `InboxState`."""

DisputeStateWord: TypeAlias = Literal[
    "opened",
    "lost",
    "won",
]
"""The state of a dispute: see `DisputeState`."""

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
"""The verbs whose payment can be found by the key of a call."""

RoundingWord: TypeAlias = Literal["half_up", "half_even"]
"""How a product is rounded to the minor unit: see `Rounding`."""

ApiScopeWord: TypeAlias = Literal["read", "write", "refund"]
"""What an API key may do: see `ApiScope`."""
