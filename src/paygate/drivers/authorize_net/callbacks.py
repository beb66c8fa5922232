"""Webhooks: who sent one, and which operation it is about.

The signature covers the body and no time, so a repetition is recognized by its id alone. The body
is a hint: what became of the transaction is looked up.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Final

from paygate.driver import BadResponse, HmacKeys, MethodNews, Notice, read_json
from paygate.drivers.authorize_net import fields, inquiry
from paygate.drivers.authorize_net.settings import BY

if TYPE_CHECKING:
    from paygate.driver import Callback, Dialogue, Fields
    from paygate.drivers.authorize_net.messages import Channel
    from paygate.drivers.authorize_net.settings import AuthorizeNetSettings

SIGNATURE: Final = "x-anet-signature"
SCHEME: Final = "sha512="
REFUND_CREATED: Final = "net.authorize.payment.refund.created"
METHOD_DELETED: Final = "net.authorize.customer.paymentProfile.deleted"
_SHORT: Final = re.compile(r"[\x20-\x7e]{1,100}")


class AuthorizeNetVerifier:
    """Reads webhooks that are signed with one of the account's keys."""

    def __init__(self, settings: AuthorizeNetSettings) -> None:
        # The key is the text itself, not the bytes that its digits represent.
        self._keys = HmacKeys(settings.signature_keys, BY, digest="sha512", encoding="HEX")

    def read(self, channel: Channel, callback: Callback) -> Dialogue[Notice]:
        """Authenticate the raw bytes of *callback* and read it, or raise `NotAuthentic`."""
        header = callback.headers.get(SIGNATURE, "")
        theirs = header.removeprefix(SCHEME).strip().upper() if header.startswith(SCHEME) else ""
        self._keys.check(callback.body, theirs)
        try:
            event = read_json(callback.body, BY)
            notice = Notice(
                event_id=event.id("notificationId", pattern=_SHORT),
                type=event.id("eventType", pattern=_SHORT),
                occurred_at=event.instant("eventDate", None, zone=UTC),
            )
        except BadResponse:
            text = "the webhook is signed, and does not read as an event"
            return Notice(event_id="", type="", unreadable=text)
        return (yield from _about(channel, event.at("payload"), notice))


def _about(channel: Channel, payload: Fields, notice: Notice) -> Dialogue[Notice]:
    """Add the operation of ours that an event is about; if it does not say, ask."""
    about = payload.id("id", "", pattern=fields.NUMBER)
    if notice.type == METHOD_DELETED and about:
        ended = MethodNews(reference=about, ended=True, reason="deleted")
        return replace(notice, method=ended)
    if payload.text("entityName", "") != "transaction" or not about:
        return notice
    orders = (payload.id("merchantReferenceId", ""), payload.id("invoiceNumber", ""))
    order = next(filter(fields.is_ours, orders), "")
    if notice.type == REFUND_CREATED or not order:
        found = yield from inquiry.details(channel, about)
        if found is None:
            return notice
        if found.is_refund and not fields.is_ours(found.our_reference):
            # It was made in the Merchant Interface, and belongs to the payment that it refunds.
            payment = yield from inquiry.refunded_of(channel, found)
            moved = (inquiry.refund_of(found),)
            return replace(notice, reference=payment, movements=moved) if payment else notice
        order = found.order
    if not fields.is_ours(order):
        return notice  # another system's, at the same account
    return replace(notice, reference=about, earlier_reference=order)
