"""The work of one event in Odoo, filled in: the same event always gives the same work."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from paygate.sinks.filling import filled, in_one_line, values_of
from paygate.sinks.odoo.mapping import CONTACT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.sink import Delivery
    from paygate.sinks.odoo.mapping import Activity
    from paygate.sinks.odoo.settings import OdooSettings

_PLAIN: Final = re.compile(rb"[A-Za-z0-9-]")
_UNSEEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class Todo:
    """An activity; its `summary` contains the id of the event."""

    summary: str
    note: str
    deadline: str
    type: str
    user_id: int | None


@dataclass(frozen=True, slots=True)
class Work:
    """
    What one event does in Odoo.

    `partner` are the columns that every event of the customer writes, `fields` those of this one.
    `subject` is the subject of the note, by which it is found again.
    """

    event: str
    external_id: str
    partner: Mapping[str, str]
    fields: Mapping[str, str]
    subject: str
    note: str
    sms: str
    todo: Todo | None


def work_of(delivery: Delivery, settings: OdooSettings) -> Work | None:
    """Return the work of an event; None if it has no effect, or is about no customer."""
    event = delivery.event
    effect = settings.all_effects().get(event.type)
    customer = event.data.get("customer")
    if effect is None or not isinstance(customer, str) or not customer:
        return None
    values = _values(delivery, settings, customer)
    mark = f"{settings.namespace}:{event.id}"
    return Work(
        event=event.id,
        external_id=f"{settings.namespace}.customer_{_named(customer)}",
        partner=_columns(settings.partner, values),
        fields={name: _text(text, values) for name, text in effect.fields.items()},
        subject=mark,
        note=_text(effect.note, values),
        sms=_text(effect.sms, values),
        todo=None if effect.activity is None else _todo(effect.activity, delivery, values, mark),
    )


def _values(delivery: Delivery, settings: OdooSettings, customer: str) -> dict[str, str]:
    values = dict.fromkeys(CONTACT, "") | values_of(delivery, settings.merchant)
    contact = delivery.contact
    if contact is not None:
        values |= {
            "customer_email": contact.email,
            "customer_phone": contact.phone,
            "customer_street": contact.address.line1,
            "customer_city": contact.address.city,
            "customer_zip": contact.address.postal_code,
        }
    values["customer_name"] = values["customer_name"] or customer
    return values


def _columns(texts: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """Return the columns that are not empty: an empty one would erase what a person entered."""
    columns = {name: in_one_line(_text(text, values)) for name, text in texts.items()}
    return {name: text for name, text in columns.items() if text}


def _todo(activity: Activity, delivery: Delivery, values: Mapping[str, str], mark: str) -> Todo:
    day = delivery.event.occurred_at.date() + timedelta(days=activity.days)
    return Todo(
        summary=f"{in_one_line(_text(activity.summary, values))} [{mark}]",
        note=_text(activity.note, values),
        deadline=day.isoformat(),
        type=activity.type,
        user_id=activity.user_id,
    )


def _text(text: str, values: Mapping[str, str]) -> str:
    return _UNSEEN.sub(" ", filled(text, values))


def _named(customer: str) -> str:
    """Return *customer* as a part of an external id, which has no dot; no two are the same."""
    return "".join(
        chr(byte) if _PLAIN.match(bytes([byte])) else f"_{byte:02x}"
        for byte in customer.encode("utf-8", "replace")
    )


def as_html(text: str) -> str:
    """Return *text* as HTML that shows it as it is."""
    return "<br/>".join(html.escape(text, quote=False).splitlines())
