"""Ways to pay: how the pages name each kind of payment, and what they say about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from paygate.domain.kind import Kind
from paygate.web.pages.views import Way
from paygate.web.texts import Text, message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.domain.money import Money
    from paygate.web.texts import Value


@dataclass(frozen=True, slots=True)
class WayText:
    """How a kind of payment is named: its label, a hint, its icon, and the text of its button."""

    label: str
    hint: str
    icon: str
    by: str


WAYS: Final[Mapping[Kind, WayText]] = {
    Kind.CARD: WayText(message("Card"), "", "card", message("Pay {amount} by card")),
    Kind.E_CHECK: WayText(
        message("Bank account"),
        message("Arrives in about {duration}"),
        "bank",
        message("Pay {amount} from a bank account"),
    ),
    Kind.REDIRECT: WayText(
        "{processor}",
        message("You approve the payment at {processor}"),
        "wallet",
        message("Pay {amount} with {processor}"),
    ),
    Kind.VOUCHER: WayText(
        message("Cash at a store"),
        message("Print a slip or show it on your phone"),
        "slip",
        message("Pay {amount} in cash at a store"),
    ),
    Kind.QR: WayText(
        message("App of a bank or wallet"),
        message("You scan a code"),
        "code",
        message("Pay {amount} by scanning a code"),
    ),
    Kind.PUSH: WayText(
        message("Mobile phone"),
        message("You approve the payment on your phone"),
        "phone",
        message("Pay {amount} by phone"),
    ),
    Kind.BITCOIN: WayText(
        message("Bitcoin"),
        message("The price is held for {duration}"),
        "bitcoin",
        message("Pay {amount} with Bitcoin"),
    ),
}
"""The kinds that a payer can choose; the others are recorded by hand."""

THE_PROCESSOR: Final = Text(message("the payment processor"))
"""The name of a processor that the merchant did not name."""


def way_to_pay(
    value: str,
    kind: Kind,
    amount: Money,
    *,
    processor: Value = THE_PROCESSOR,
    duration: Value | None = None,
    brands: str = "",
    label: str = "",
) -> Way:
    """
    Return the way that sends *value* and pays *amount* by *kind*.

    *processor* is its name for payers, *duration* how long its result takes or its price is held,
    and *brands* names the cards that it takes. *label* is the merchant's own name for it. Raises
    `KeyError` for a kind that a payer cannot choose.
    """
    texts = WAYS[kind]
    values: dict[str, Value] = {"amount": amount, "processor": processor}
    hint: Text | None = Text(texts.hint, values) if texts.hint else None
    if "{duration}" in texts.hint:
        hint = Text(texts.hint, {"duration": duration}) if duration is not None else None
    if brands:
        hint = Text("{brands}", {"brands": brands})
    return Way(
        value=value,
        label=Text("{label}", {"label": label}) if label else Text(texts.label, values),
        hint=hint,
        icon=texts.icon,
        by=Text(texts.by, values),
    )
