"""Texts of sinks with places: ``{name}`` stands for a field of an event.

It is also there for an amount with its currency (``{amount}`` for the field ``amount_minor``), and
for one of a few facts (``{merchant}``, ``{customer_name}``, ``{date}``). A name that the event does
not have is refused when the settings are read, so that nobody gets a text with a gap.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.event_fields import EVENT_FIELDS
from paygate.domain.money import Money

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from paygate.sink import Delivery

PLACE: Final = re.compile(r"\{(\w+)\}")
"""A place in a text."""
BLANK: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
"""What becomes a single space in one line."""
FACTS: Final = frozenset({"merchant", "customer_name", "date", "type", "event"})
"""What every text can name in addition to the fields of its event."""

_MINOR: Final = "_minor"


def names_in(*texts: str) -> set[str]:
    """Return the names of the places in *texts*."""
    return {name for text in texts for name in PLACE.findall(text)}


def names_of(type_: str) -> frozenset[str]:
    """Return the names that a text for *type_* can use."""
    return _names_with(each.name for each in EVENT_FIELDS[type_])


def _names_with(given: Iterable[str]) -> frozenset[str]:
    """Return the names that a text for an event with the fields *given* can use."""
    fields = set(given)
    amounts = {name.removesuffix(_MINOR) for name in fields if name.endswith(_MINOR)}
    return frozenset(fields | amounts | FACTS)


def values_of(delivery: Delivery, merchant: str) -> dict[str, str]:
    """Return the values for the places of a text."""
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


def filled(text: str, values: Mapping[str, str], spell: Callable[[str], str] = str) -> str:
    """Return *text* with its places filled from *values*, each as *spell* writes it."""
    return PLACE.sub(lambda place: spell(values.get(place[1], place[0])), text)


def in_one_line(value: str) -> str:
    """Return *value* for a header, where ``=?`` would begin an encoded text."""
    return BLANK.sub(" ", value).strip().replace("=?", "= ?")


def hint(name: str, known: Any) -> str:
    """Return a question that names the most similar of *known*, if there is one."""
    alike = get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {alike[0]}?" if alike else ""


def _said(value: Any) -> str:
    match value:
        case None:
            return ""
        case list():
            return ", ".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType]
        case _:
            return str(value)
