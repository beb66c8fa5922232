"""Templates: subject and body of a notice as data, filled from an event.

In HTML every value is escaped; in a subject, it has one line.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Final

from pydantic import Field

from paygate.domain.event_fields import EVENT_FIELDS
from paygate.driver import Settings
from paygate.sinks.filling import BLANK, filled, hint, in_one_line, names_in, names_of

if TYPE_CHECKING:
    from collections.abc import Mapping


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
            raise ValueError(f"no event has the type {type_[:80]!r}{hint(type_, EVENT_FIELDS)}")
        if BLANK.sub(" ", self.subject) != self.subject:
            raise ValueError(f"the subject for {type_} must be one line")
        known = names_of(type_)
        for name in sorted(self.names() - known):
            raise ValueError(
                f"the template for {type_} names {{{name[:80]}}}, which this event does not have"
                f"{hint(name, known)}"
            )

    def names(self) -> set[str]:
        """Return the names that the template uses."""
        return names_in(self.subject, self.text, self.html)

    def filled(self, values: Mapping[str, str]) -> Template:
        """Return this template with its places filled from *values*."""
        return Template(
            subject=filled(self.subject, values, in_one_line),
            text=filled(self.text, values),
            html=filled(self.html, values, html.escape),
        )


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

NOTICE: Final = "notice.due"
"""The event that a customer is to get a message; its kind and language choose the words."""

NOTICES: Final[Mapping[str, Template]] = {
    "overdue": Template(
        subject="Invoice {number} is overdue",
        text="Hello {customer_name}\n\n"
        "Invoice {number} was due on {due}, and {amount} is open. If you have just paid, thank "
        "you; otherwise please pay.\n\n{merchant}\n",
    ),
    "overdue_again": Template(
        subject="Second reminder: invoice {number} is overdue",
        text="Hello {customer_name}\n\n"
        "Invoice {number} was due {days} days ago, and {amount} is open. Without a payment, your "
        "service will be {next_state} from {next_on} on.\n\n{merchant}\n",
    ),
    "limited": Template(
        subject="Your service is limited",
        text="Hello {customer_name}\n\n"
        "Invoice {number} was due {days} days ago, and {amount} is open, so your service is "
        "limited. Without a payment, it will be {next_state} from {next_on} on.\n\n{merchant}\n",
    ),
    "suspended": Template(
        subject="Your service is suspended",
        text="Hello {customer_name}\n\n"
        "Invoice {number} was due {days} days ago, and {amount} is open, so your service is "
        "suspended. It is restored when you have paid. Otherwise it will be {next_state} on "
        "{next_on}.\n\n{merchant}\n",
    ),
    "terminated": Template(
        subject="Your contract has ended",
        text="Hello {customer_name}\n\n"
        "Invoice {number} was due {days} days ago, and {amount} is still open, so your contract "
        "has ended.\n\n{merchant}\n",
    ),
    "restored": Template(
        subject="Your service is restored",
        text="Hello {customer_name}\n\nYour service is restored. Thank you.\n\n{merchant}\n",
    ),
}
"""The templates of messages to customers who pay late, by kind, unless the host has others."""
