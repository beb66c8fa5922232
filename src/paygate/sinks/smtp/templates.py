"""Templates: subject and body of a notice as data, filled from an event.

``{name}`` stands for a field of the event, for an amount with its currency (``{amount}``), or for
one of a few facts (``{merchant}``, ``{customer_name}``, ``{date}``). A name that the event does
not have is refused when the settings are read, so that no customer gets a mail with a gap. In HTML
every value is escaped; in a subject, it has one line.
"""

from __future__ import annotations

import html
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from paygate.domain.event_fields import EVENT_FIELDS
from paygate.domain.money import Money
from paygate.driver import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from paygate.sink import Delivery

_PLACE: Final = re.compile(r"\{(\w+)\}")
_BLANK: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_MINOR: Final = "_minor"
FACTS: Final = frozenset({"merchant", "customer_name", "date", "type", "event"})
"""What every template can name in addition to the fields of its event."""


class Template(Settings):
    """Subject and body of the mail about one type of event."""

    subject: str = Field(min_length=1)
    """The subject, in one line."""
    text: str = Field(min_length=1)
    """The body as plain text."""
    html: str = ""
    """The body as HTML, in addition; values are escaped."""

    def check(self, type_: str) -> None:
        """Raise `ValueError` if this cannot be the template of *type_*."""
        if type_ not in EVENT_FIELDS:
            raise ValueError(f"no event has the type {type_[:80]!r}{_hint(type_, EVENT_FIELDS)}")
        if _BLANK.sub(" ", self.subject) != self.subject:
            raise ValueError(f"the subject for {type_} must be one line")
        known = names_of(type_)
        for name in sorted(self.names() - known):
            raise ValueError(
                f"the template for {type_} names {{{name[:80]}}}, which this event does not have"
                f"{_hint(name, known)}"
            )

    def names(self) -> set[str]:
        """Return the names that the template uses."""
        return set(_PLACE.findall(self.subject + self.text + self.html))

    def filled(self, values: Mapping[str, str]) -> Template:
        """Return this template with its places filled from *values*."""
        return Template(
            subject=_filled(self.subject, values, in_one_line),
            text=_filled(self.text, values, str),
            html=_filled(self.html, values, html.escape),
        )


def names_of(type_: str) -> frozenset[str]:
    """Return the names that a template for *type_* can use."""
    fields = {each.name for each in EVENT_FIELDS[type_]}
    amounts = {name.removesuffix(_MINOR) for name in fields if name.endswith(_MINOR)}
    return frozenset(fields | amounts | FACTS)


def values_of(delivery: Delivery, merchant: str) -> dict[str, str]:
    """Return the values for the places of a template."""
    event, contact = delivery.event, delivery.contact
    values = dict.fromkeys(names_of(event.type) if event.type in EVENT_FIELDS else (), "")
    for name, value in event.data.items():
        values[name] = _said(value)
        amount = name.removesuffix(_MINOR)
        currency = event.data.get(f"{amount}_currency") or event.data.get("currency")
        if name != amount and isinstance(value, int) and isinstance(currency, str):
            values[amount] = str(Money(currency, value))
    return values | {
        "merchant": merchant,
        "customer_name": "" if contact is None else contact.name,
        "date": f"{event.occurred_at:%Y-%m-%d}",
        "type": event.type,
        "event": event.id,
    }


def _said(value: Any) -> str:
    match value:
        case None:
            return ""
        case list():
            return ", ".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType]
        case _:
            return str(value)


def in_one_line(value: str) -> str:
    """Return *value* for a header, where ``=?`` would begin an encoded text."""
    return _BLANK.sub(" ", value).strip().replace("=?", "= ?")


def _filled(text: str, values: Mapping[str, str], spell: Callable[[str], str]) -> str:
    return _PLACE.sub(lambda place: spell(values.get(place[1], place[0])), text)


def _hint(name: str, known: Any) -> str:
    alike = get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {alike[0]}?" if alike else ""


BUILT_IN: Final[Mapping[str, Template]] = {
    "invoice.generated": Template(
        subject="Invoice {number} from {merchant}",
        text="Hello {customer_name}\n\n"
        "{merchant} has issued invoice {number} over {total}. It is due on {due}.\n",
    ),
    "payment.succeeded": Template(
        subject="We received your payment of {amount}",
        text="Hello {customer_name}\n\n"
        "We received your payment of {amount} on {date}. Thank you.\n\n"
        "Payment: {payment}\n\n{merchant}\n",
    ),
    "payment.refunded": Template(
        subject="A refund from {merchant}",
        text="Hello {customer_name}\n\n"
        "We sent you back money of your payment {payment} on {date}. Your bank may need some days "
        "to show it.\n\n{merchant}\n",
    ),
    "payment.reversed": Template(
        subject="Your payment of {amount} did not arrive",
        text="Hello {customer_name}\n\n"
        "Your payment of {amount} was returned: {reason}. What it had paid is open again.\n\n"
        "Payment: {payment}\n\n{merchant}\n",
    ),
}
"""The templates by event type that are used unless the host has others."""
