"""Who pays what, how, and with which magic token: the demo's script, as tables."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Final

from paygate.domain.kind import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from paygate.domain.invoice import Invoice

KINDS: Final = (Kind.CARD, Kind.E_CHECK, Kind.REDIRECT, Kind.VOUCHER, Kind.BITCOIN)
"""The five ways to pay, each a gateway account named after it."""

_RAILS: Final[Mapping[str, tuple[Kind, ...]]] = {
    "USD": (Kind.CARD, Kind.E_CHECK, Kind.CARD, Kind.E_CHECK, Kind.BITCOIN, Kind.REDIRECT),
    "EUR": (Kind.CARD, Kind.REDIRECT, Kind.VOUCHER, Kind.CARD, Kind.CARD, Kind.BITCOIN),
    "GBP": (Kind.CARD, Kind.REDIRECT, Kind.CARD, Kind.CARD),
    "JPY": (Kind.CARD, Kind.VOUCHER, Kind.CARD),
    "KRW": (Kind.REDIRECT, Kind.CARD, Kind.VOUCHER),
    "KWD": (Kind.CARD, Kind.CARD, Kind.REDIRECT, Kind.CARD, Kind.BITCOIN),
}
# Card and bank tokens in turn; whatever can happen at a gateway happens to somebody here.
_CARDS: Final = (
    "tok_visa",
    "tok_mastercard",
    "tok_visa",
    "tok_declined_insufficient_funds",
    "tok_amex",
    "tok_action",
    "tok_visa",
    "tok_mastercard",
    "tok_expired",
    "tok_visa",
    "tok_amex",
    "tok_visa",
    "tok_declined_fraud_suspected",
    "tok_mastercard",
    "tok_visa",
)
_BANKS: Final = ("tok_bank", "tok_bank", "tok_bank", "tok_bank_unpaid_r01", "tok_bank")


@dataclass(frozen=True, slots=True)
class Mishap:
    """A card payment whose response is lost: how the fake is instructed, and how it is shown."""

    token: str
    text: str


LOST: Final[Mapping[str, Mishap]] = {
    "INV-2026-0011": Mishap("tok_unknown_executed", "charged, response lost"),
    "INV-2026-0064": Mishap("tok_500_executed", "charged, response was a 500"),
    "INV-2026-0087": Mishap("tok_timeout_late", "charged a minute later"),
    "INV-2026-0120": Mishap("tok_unknown_lost", "request lost"),
}
"""The invoices whose card payments lose their response, and how."""

CHECK: Final = "INV-2026-0043"
"""The invoice that is paid by a paper check, which bounces."""


@dataclass(frozen=True, slots=True)
class TillVisit:
    """One payer at the till: an invoice, and how it is to be paid."""

    invoice: Invoice
    kind: Kind
    token: str | None = None


def visits(invoices: Sequence[Invoice]) -> Iterator[TillVisit]:
    """Yield for every invoice except the paper check's who pays it and how, always the same."""
    cards, banks = cycle(_CARDS), cycle(_BANKS)
    turn: Counter[str] = Counter()
    for invoice in invoices:
        currency = invoice.total.currency
        if invoice.number == CHECK:
            continue
        if invoice.number in LOST:
            yield TillVisit(invoice, Kind.CARD, LOST[invoice.number].token)
            continue
        kind = _RAILS[currency][turn[currency] % len(_RAILS[currency])]
        turn[currency] += 1
        match kind:
            case Kind.CARD:
                yield TillVisit(invoice, kind, next(cards))
            case Kind.E_CHECK:
                yield TillVisit(invoice, kind, next(banks))
            case _:
                yield TillVisit(invoice, kind)
