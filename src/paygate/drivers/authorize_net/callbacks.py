"""Webhooks: who sent one, and which transaction it is about.

The signature covers the body and no time, so that a repetition is told by its
id alone; and the body is a hint: what became of the transaction is asked for.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from pydantic_core import from_json

from paygate.driver import NotAuthentic, Secret
from paygate.drivers.authorize_net import fields
from paygate.drivers.authorize_net.messages import instant

if TYPE_CHECKING:
    from datetime import datetime

    from paygate.driver import Callback
    from paygate.drivers.authorize_net.settings import AuthorizeNetSettings

SIGNATURE: Final = "x-anet-signature"
SCHEME: Final = "sha512="
METHOD_DELETED: Final = "net.authorize.customer.paymentProfile.deleted"
ID_MAX: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEvent:
    """What a webhook tells: about a *transaction*, or a stored *method* that was deleted."""

    id: str
    type: str
    at: datetime | None
    transaction: str
    order: str
    deleted_method: str = ""

    @property
    def is_refund(self) -> bool:
        """Tell whether money went back."""
        return self.type == "net.authorize.payment.refund.created"


class AuthorizeNetVerifier:
    """Reads webhooks that are signed with one of the account's keys."""

    def __init__(self, settings: AuthorizeNetSettings) -> None:
        # The text of the key signs, not the bytes that its digits stand for.
        self._keys = [Secret(key.reveal().encode()) for key in settings.signature_keys]

    def read(self, callback: Callback) -> WebhookEvent | None:
        """
        Authenticate *callback* on its raw bytes and read it, or raise `NotAuthentic`.

        Returns None for what is signed and does not read as an event.
        """
        self._authenticate(callback)
        try:
            told: object = from_json(callback.body)
        except ValueError:
            return None
        return _read(told)

    def _authenticate(self, callback: Callback) -> None:
        header = callback.headers.get(SIGNATURE, "")
        theirs = header.removeprefix(SCHEME).strip().upper().encode("utf-8", "replace")
        good = False
        for key in self._keys:
            ours = hmac.digest(key.reveal(), callback.body, "sha512").hex().upper().encode()
            good = hmac.compare_digest(ours, theirs) or good
        if not (good and header.startswith(SCHEME)):
            raise NotAuthentic(
                "the webhook's signature is none that was made with our key",
                why="signature" if header.startswith(SCHEME) else "unsigned",
            )


def _read(told: object) -> WebhookEvent | None:
    if not isinstance(told, dict):
        return None
    event = cast("dict[str, Any]", told)
    payload: Any = event.get("payload")
    facts = cast("dict[str, Any]", payload) if isinstance(payload, dict) else {}
    identity, type_ = _text(event, "notificationId"), _text(event, "eventType")
    if not identity or not type_:
        return None
    transaction = _text(facts, "id") if facts.get("entityName") == "transaction" else ""
    deleted = _text(facts, "id") if type_ == METHOD_DELETED else ""
    orders = (_text(facts, "merchantReferenceId"), _text(facts, "invoiceNumber"))
    return WebhookEvent(
        id=identity,
        type=type_,
        at=instant(_text(event, "eventDate")),
        transaction=transaction if fields.is_number(transaction) else "",
        order=next(filter(fields.is_ours, orders), ""),
        deleted_method=deleted if fields.is_number(deleted) else "",
    )


def _text(facts: dict[str, Any], name: str) -> str:
    found = facts.get(name)
    fits = isinstance(found, str) and len(found) <= ID_MAX and found.isascii()
    return found if fits and isinstance(found, str) and found.isprintable() else ""
