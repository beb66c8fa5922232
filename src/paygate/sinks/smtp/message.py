"""The message of a notice: the same event always gives the same message."""

from __future__ import annotations

import hashlib
import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import TYPE_CHECKING, Final

from paygate.errors import EventRefused
from paygate.sinks.filling import in_one_line, values_of
from paygate.sinks.smtp.settings import address, ascii_domain

if TYPE_CHECKING:
    from paygate.sink import Delivery
    from paygate.sinks.smtp.settings import SmtpSettings

_ATOM: Final = re.compile(r"[A-Za-z0-9_-]+")
_NOT_PRINTED: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def message_of(delivery: Delivery, settings: SmtpSettings) -> EmailMessage | None:
    """
    Return the mail about an event; None if there is no template for it, or nobody to send it to.

    Its id is made from the id of the event, and its date is that of the event, so that a mail
    system recognizes a repetition.
    """
    template = settings.template_of(delivery.event)
    recipients = _recipients(delivery, settings)
    if template is None or not recipients:
        return None
    sender = address(settings.sender)
    merchant = settings.merchant or sender.display_name or sender.domain
    filled = template.filled(values_of(delivery, merchant))
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = recipients
    if settings.reply_to:
        message["Reply-To"] = address(settings.reply_to)
    message["Subject"] = filled.subject
    message["Date"] = delivery.event.occurred_at
    message["Message-ID"] = f"<{_id_of(delivery.event.id)}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(filled.text)
    if filled.html:
        message.add_alternative(filled.html, subtype="html")
    for document in delivery.documents:
        main, _, sub = document.media_type.partition("/")
        message.add_attachment(document.content, maintype=main, subtype=sub, filename=document.name)
    _fix_boundaries(message, delivery.event.id)
    return message


def _fix_boundaries(message: EmailMessage, event: str) -> None:
    """Separate the parts by a text that depends on the event only; usually it is random."""
    digest = hashlib.sha256(event.encode()).hexdigest()
    multiparts = [part for part in message.walk() if part.is_multipart()]
    for number, part in enumerate(multiparts):
        part.set_boundary(f"={number}={digest}")


def _recipients(delivery: Delivery, settings: SmtpSettings) -> tuple[Address, ...]:
    if settings.to:
        return tuple(address(each) for each in settings.to)
    contact = delivery.contact
    if contact is None or not contact.email:
        return ()
    local, _, domain = contact.email.strip().rpartition("@")
    plain = local and domain and not any(each in contact.email.strip() for each in " ,;<>\"'()")
    if not plain or _NOT_PRINTED.search(contact.email):
        raise EventRefused("the stored e-mail address of the customer is not valid", final=True)
    name = in_one_line(contact.name)
    try:
        return (Address(display_name=name, username=local, domain=ascii_domain(domain)),)
    except (ValueError, IndexError):
        raise EventRefused(
            "the stored e-mail address of the customer is not valid", final=True
        ) from None


def _id_of(event: str) -> str:
    """Return the part of the message id that stands for an event."""
    return event if _ATOM.fullmatch(event) else hashlib.sha256(event.encode()).hexdigest()
