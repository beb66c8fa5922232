"""Webhooks: who sent one, and which transaction it is about.

The signature covers the body and no time, so that a repetition is known by its id alone; and the
body is a hint: what became of the transaction is asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from paygate.driver import BadResponse, Callback, HmacKeys, read_json
from paygate.drivers.authorize_net import fields
from paygate.drivers.authorize_net.settings import BY

if TYPE_CHECKING:
    from paygate.drivers.authorize_net.settings import AuthorizeNetSettings

SIGNATURE: Final = "x-anet-signature"
SCHEME: Final = "sha512="
METHOD_DELETED: Final = "net.authorize.customer.paymentProfile.deleted"
_SHORT: Final = re.compile(r"[\x20-\x7e]{1,100}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEvent:
    """What a webhook says: about a *transaction*, or a stored *method* that was deleted."""

    id: str
    type: str
    at: datetime | None
    transaction: str
    order: str
    deleted_method: str = ""

    @property
    def is_refund(self) -> bool:
        """Whether money went back."""
        return self.type == "net.authorize.payment.refund.created"


class AuthorizeNetVerifier:
    """Reads webhooks that are signed with one of the account's keys."""

    def __init__(self, settings: AuthorizeNetSettings) -> None:
        # The text of the key signs, not the bytes that its digits stand for.
        self._keys = HmacKeys(settings.signature_keys, BY, digest="sha512", encoding="HEX")

    def read(self, callback: Callback) -> WebhookEvent | None:
        """Authenticate *callback* on its raw bytes and read it, or raise `NotAuthentic`.

        Returns None for what is signed and does not read as an event.
        """
        header = callback.headers.get(SIGNATURE, "")
        theirs = header.removeprefix(SCHEME).strip().upper() if header.startswith(SCHEME) else ""
        self._keys.check(callback.body, theirs)
        try:
            return _read(callback.body)
        except BadResponse:
            return None


def _read(body: bytes) -> WebhookEvent:
    event = read_json(body, BY)
    type_, payload = event.id("eventType", pattern=_SHORT), event.at("payload")
    about = payload.id("id", "", pattern=fields.NUMBER)
    orders = (payload.id("merchantReferenceId", ""), payload.id("invoiceNumber", ""))
    return WebhookEvent(
        id=event.id("notificationId", pattern=_SHORT),
        type=type_,
        at=event.instant("eventDate", None, zone=UTC),
        transaction=about if payload.text("entityName", "") == "transaction" else "",
        order=next(filter(fields.is_ours, orders), ""),
        deleted_method=about if type_ == METHOD_DELETED else "",
    )
