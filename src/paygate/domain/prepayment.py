"""Prepayments: money for an invoice that is to come, found by an assignment key."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, cast

from paygate.domain.money import Money
from paygate.domain.text import identifier
from paygate.errors import InvalidValue
from paygate.printing import shown_value

if TYPE_CHECKING:
    from datetime import datetime

KEY_LENGTH_MAX: Final = 64
"""The longest assignment key."""

DATA_SIZE_MAX: Final = 16 * 1024
"""How many bytes the host's data of a prepayment may have as JSON."""


class PrepaymentStatus(StrEnum):
    """The state of a prepayment, derived from its money and from the invoice that took it."""

    OPEN = "open"
    """It can be paid, and nothing of it is paid."""
    PARTIALLY_PAID = "partially_paid"
    """Part of it is paid, and no invoice has taken its money."""
    PAID = "paid"
    """Nothing is to be paid any more: money waits for an invoice with its key, or is credit."""
    BALANCED = "balanced"
    """An invoice replaced it, and all of its money is on invoices, or is credit."""
    REPLACED = "replaced"
    """An invoice replaced it before any money was on it: the invoice is paid instead."""
    CLOSED = "closed"
    """The host closed it: it cannot be paid any more, and its money became credit."""


class OnRest(StrEnum):
    """What happens to the money of a prepayment that exceeds the invoice."""

    KEEP = "keep"
    """It waits for the next invoice with the same key."""
    CREDIT = "credit"
    """It becomes credit of the customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepayment:
    """An amount that a customer pays before the invoice, for the purpose that its key names.

    `paid` is the money that was put on it. Of that, `assigned` went to invoices with the same
    `assignment_key`, `credited` became credit, and `waiting` is still on the prepayment. `open` is
    what can still be paid; it is zero once an invoice has replaced the prepayment, and
    `replaced_by` is the number of that invoice. `claimed` is the part that live payments hold right
    now, and `claimed_by` names them. `data` is the host's own, and is repeated in its events.
    """

    id: str
    customer: str
    assignment_key: str
    amount: Money
    paid: Money
    assigned: Money
    credited: Money
    claimed: Money
    status: PrepaymentStatus
    on_rest: OnRest
    created_at: datetime
    description: str = ""
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    replaced_by: str | None = None
    claimed_by: tuple[str, ...] = ()

    @property
    def total(self) -> Money:
        """The amount, by the name that it has on an invoice."""
        return self.amount

    @property
    def waiting(self) -> Money:
        """The money on it that no invoice has taken yet."""
        return self.paid - self.assigned - self.credited

    @property
    def is_replaced(self) -> bool:
        """Whether an invoice replaced it, so that the invoice is paid instead."""
        return self.replaced_by is not None

    @property
    def open(self) -> Money:
        """What can still be paid on it."""
        if self.is_replaced or self.status is PrepaymentStatus.CLOSED:
            return Money.zero(self.amount.currency)
        return self.amount - self.paid

    @property
    def room(self) -> Money:
        """What money that arrives may still fill; a page may outlive the prepayment."""
        if self.status is PrepaymentStatus.CLOSED:
            return Money.zero(self.amount.currency)
        return self.amount - self.paid - self.claimed


def assignment_key(text: str, argument: str = "assignment_key") -> str:
    """
    Return an assignment key in the one spelling in which it is stored and compared.

    Keys that differ only in case, in the encoding of accents (NFC) or in surrounding spaces are
    one key.
    """
    spelled = identifier(text, argument, length_max=KEY_LENGTH_MAX)
    folded = unicodedata.normalize("NFC", spelled.casefold())
    return identifier(folded, argument, length_max=KEY_LENGTH_MAX)


def host_data(value: object, argument: str = "data") -> dict[str, Any]:
    """Return the host's data as JSON reads it back, or raise `InvalidValue`."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidValue(
            f"{argument} must be a mapping that JSON can write, not {shown_value(value)}",
            argument=argument,
        )
    try:
        text = json.dumps(
            dict(cast("Mapping[str, Any]", value)), ensure_ascii=False, allow_nan=False
        )
        size = len(text.encode())
        found: dict[str, Any] = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        raise InvalidValue(
            f"{argument} must have only what JSON can write: texts, numbers, lists and mappings "
            "with texts as keys",
            argument=argument,
        ) from None
    if size > DATA_SIZE_MAX:
        raise InvalidValue(
            f"{argument} has {size:,} bytes as JSON; the maximum is {DATA_SIZE_MAX:,}",
            argument=argument,
        )
    return found
