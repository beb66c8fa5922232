"""The mapping of the sink ``odoo``: what each type of event does in Odoo, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import Field

from paygate.domain.event_fields import EVENT_FIELDS
from paygate.driver import Settings
from paygate.sinks.filling import BLANK, hint, names_in, names_of

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTACT: Final = frozenset(
    {
        "customer_email",
        "customer_phone",
        "customer_street",
        "customer_city",
        "customer_zip",
    }
)
"""Contact facts that every text can name in addition."""


class Activity(Settings):
    """A to-do for the people who look after the customer."""

    summary: str = Field(min_length=1)
    """What is to be done, in one line. The id of the event is put behind it, by which the activity
    is found again."""
    note: str = ""
    """More about it, as text."""
    days: int = Field(default=0, ge=0, le=3650)
    """How many days after the event it is due."""
    type: str = "mail.mail_activity_data_todo"
    """The external id of the activity type."""
    user_id: int | None = None
    """The id of the user who gets it; by default Odoo decides."""


class Effect(Settings):
    """What one type of event does to the customer's partner."""

    fields: dict[str, str] = Field(default_factory=dict[str, str])
    """Fields of the partner to set, such as `{ x_amount_due = "{open}" }`."""
    note: str = ""
    """A note in the partner's chatter, as text."""
    activity: Activity | None = None
    """An activity on the partner."""
    sms: str = ""
    """A text message to the partner, by Odoo's composer. It is sent at most once, after the
    note."""

    def check(self, type_: str) -> None:
        """Raise `ValueError` if this cannot be the effect of *type_*."""
        known = known_names(type_)
        activity = self.activity
        texts = [*self.fields.values(), self.note, self.sms]
        if activity is not None:
            texts += [activity.summary, activity.note]
            if BLANK.sub(" ", activity.summary) != activity.summary:
                raise ValueError(f"the summary for {type_} must be one line")
        if not any(texts):
            raise ValueError(f"the effect of {type_} is empty: give it a note, for example")
        if self.sms and not self.note:
            raise ValueError(
                f"the text message for {type_} needs a note: by that Odoo knows it was sent"
            )
        for name in sorted(names_in(*texts) - known):
            raise ValueError(
                f"the effect of {type_} names {{{name[:80]}}}, which this event does not have"
                f"{hint(name, known)}"
            )


def known_names(type_: str) -> frozenset[str]:
    """Return the names that texts for *type_* can use; raise `ValueError` if it has no customer."""
    if type_ not in EVENT_FIELDS:
        raise ValueError(f"no event has the type {type_[:80]!r}{hint(type_, EVENT_FIELDS)}")
    names = names_of(type_)
    if "customer" not in names:
        raise ValueError(f"events of the type {type_} are about no customer")
    return names | CONTACT


BUILT_IN: Final[Mapping[str, Effect]] = {
    "invoice.generated": Effect(
        note="Invoice {number}: {total}, due on {due}.",
    ),
    "invoice.overdue": Effect(
        note="Invoice {number} is overdue since {due}: {open} of {total} are open.",
        activity=Activity(summary="Invoice {number} is overdue: {open} open"),
    ),
    "customer.suspended": Effect(
        note="The service is suspended for unpaid invoices.",
        activity=Activity(summary="{customer_name} is suspended for unpaid invoices"),
    ),
    "customer.terminated": Effect(
        note="The service is terminated for unpaid invoices.",
        activity=Activity(summary="{customer_name} is terminated for unpaid invoices"),
    ),
    "customer.restored": Effect(note="The service is restored."),
    "commitment.terminated": Effect(note="The commitment {name} is terminated: {reason}."),
}
"""The effects by event type unless the host has others."""
